import fontoxpath from 'fontoxpath';
import { parseXmlDocument } from 'slimdom';

const { evaluateXPathToBoolean, evaluateXPathToNodes } = fontoxpath;

/** A rule by its name: what it is about, and what has to hold there. XPath 3.1; amounts are compared as decimals. */
type Rule = readonly [name: string, context: string, test: string];

const namespaces: Readonly<Record<string, string>> = {
  rsm: 'urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100',
  ram: 'urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100',
  udt: 'urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100',
};

const invoice = '/rsm:CrossIndustryInvoice';
const line = '//ram:IncludedSupplyChainTradeLineItem';
const lineTax = `${line}/ram:SpecifiedLineTradeSettlement/ram:ApplicableTradeTax`;
const seller = '//ram:SellerTradeParty';
const buyer = '//ram:BuyerTradeParty';
const settlement = '//ram:ApplicableHeaderTradeSettlement';
const group = `${settlement}/ram:ApplicableTradeTax`;
const sums = `${settlement}/ram:SpecifiedTradeSettlementHeaderMonetarySummation`;
const lineNet =
  'ram:SpecifiedLineTradeSettlement/ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount';
const lineVat = 'ram:SpecifiedLineTradeSettlement/ram:ApplicableTradeTax';

const decimal = (path: string): string => `xs:decimal(${path})`;
/** Decimals are binary fractions to the evaluator: what differs by less than a tenth of a cent is the same. */
const equal = (a: string, b: string): string => `abs(${a} - (${b})) < 0.001`;
const optional = (path: string): string => `xs:decimal((${path}, 0)[1])`;
const hasTax = (scheme: string): string => `ram:SpecifiedTaxRegistration/ram:ID[@schemeID='${scheme}']`;
const places = (path: string): string => `string-length(substring-after(${path}, '.')) <= 2`;

/** The rules on a category: rates on lines, sums, tax, reasons and numbers (BR-S, BR-Z, BR-E, BR-AE, BR-G, BR-O). */
const ofCategory = (category: string, name: string): readonly Rule[] => {
  const is = `ram:CategoryCode = '${category}'`;
  const isTaxed = category === 'S';
  const hasRate = category !== 'O';
  const needsReason = ['E', 'AE', 'G', 'O'].includes(category);
  const same = hasRate ? 'xs:decimal(ram:RateApplicablePercent) = xs:decimal($rate)' : 'true()';
  const sumOfLines =
    `sum(${line}[${lineVat}/ram:CategoryCode = '${category}'` +
    (hasRate ? ` and ${lineVat}/xs:decimal(ram:RateApplicablePercent) = $rate` : '') +
    `]/xs:decimal(${lineNet}))`;
  const rate = hasRate ? 'let $rate := xs:decimal(ram:RateApplicablePercent) return ' : '';
  const registered: Readonly<Record<string, string>> = {
    AE: `${seller}/${hasTax('VA')} and (${buyer}/${hasTax('VA')} or ${buyer}/ram:SpecifiedLegalOrganization/ram:ID)`,
    O: `not(${seller}/${hasTax('VA')}) and not(${buyer}/${hasTax('VA')})`,
  };
  const rateRule = isTaxed
    ? 'xs:decimal(ram:RateApplicablePercent) > 0'
    : hasRate
      ? 'xs:decimal(ram:RateApplicablePercent) = 0'
      : 'not(ram:RateApplicablePercent)';
  const taxRule = isTaxed
    ? `abs(${decimal('ram:CalculatedAmount')} - ${decimal('ram:BasisAmount')} * xs:decimal(ram:RateApplicablePercent) div 100) < 1`
    : `${decimal('ram:CalculatedAmount')} = 0`;
  return [
    [`${name}-01`, `${invoice}[${lineTax}[${is}]]`, `exists(${group}[${is}])`],
    [
      `${name}-02`,
      `${invoice}[${lineTax}[${is}]]`,
      registered[category] ?? `exists(${seller}/${hasTax('VA')} | ${seller}/${hasTax('FC')})`,
    ],
    [`${name}-05`, `${lineTax}[${is}]`, rateRule],
    [`${name}-08`, `${group}[${is}]`, `${rate}${equal(decimal('ram:BasisAmount'), sumOfLines)}`],
    [`${name}-09`, `${group}[${is}]`, taxRule],
    [`${name}-10`, `${group}[${is}]`, `exists(ram:ExemptionReason | ram:ExemptionReasonCode) = ${needsReason}()`],
    // There is one group for each rate, or one at all.
    [
      `${name}-01`,
      `${group}[${is}]`,
      `let $rate := ram:RateApplicablePercent return count(${group}[${is} and ${same}]) = 1`,
    ],
  ];
};

/**
 * The business rules of EN 16931-1:2017 that concern what we make (no allowances or charges of the document, no payee, no
 * tax representative, one currency), in their binding to Cross Industry Invoice (CEN/TS 16931-3-3). Written from the norm's list of
 * rules; code lists (BR-CL) are left to the schema.
 */
export const rules: readonly Rule[] = [
  ['BR-01', invoice, "normalize-space(//ram:GuidelineSpecifiedDocumentContextParameter/ram:ID) != ''"],
  ['BR-02', invoice, "normalize-space(rsm:ExchangedDocument/ram:ID) != ''"],
  ['BR-03', invoice, "matches(rsm:ExchangedDocument/ram:IssueDateTime/udt:DateTimeString[@format='102'], '^\\d{8}$')"],
  ['BR-04', invoice, "rsm:ExchangedDocument/ram:TypeCode = ('380', '381')"],
  ['BR-05', settlement, "matches(ram:InvoiceCurrencyCode, '^[A-Z]{3}$')"],
  ['BR-06', invoice, `normalize-space(${seller}/ram:Name) != ''`],
  ['BR-07', invoice, `normalize-space(${buyer}/ram:Name) != ''`],
  ['BR-08', invoice, `exists(${seller}/ram:PostalTradeAddress)`],
  ['BR-09', `${seller}/ram:PostalTradeAddress`, "normalize-space(ram:CountryID) != ''"],
  ['BR-10', invoice, `exists(${buyer}/ram:PostalTradeAddress)`],
  ['BR-11', `${buyer}/ram:PostalTradeAddress`, "normalize-space(ram:CountryID) != ''"],
  ['BR-12', sums, 'exists(ram:LineTotalAmount)'],
  ['BR-13', sums, 'exists(ram:TaxBasisTotalAmount)'],
  ['BR-14', sums, 'exists(ram:GrandTotalAmount)'],
  ['BR-15', sums, 'exists(ram:DuePayableAmount)'],
  ['BR-16', invoice, `exists(${line})`],
  ['BR-21', line, "normalize-space(ram:AssociatedDocumentLineDocument/ram:LineID) != ''"],
  ['BR-22', line, 'exists(ram:SpecifiedLineTradeDelivery/ram:BilledQuantity)'],
  ['BR-23', line, 'exists(ram:SpecifiedLineTradeDelivery/ram:BilledQuantity/@unitCode)'],
  ['BR-24', line, `exists(${lineNet})`],
  ['BR-25', line, "normalize-space(ram:SpecifiedTradeProduct/ram:Name) != ''"],
  ['BR-26', line, 'exists(ram:SpecifiedLineTradeAgreement/ram:NetPriceProductTradePrice/ram:ChargeAmount)'],
  ['BR-27', line, `${decimal('ram:SpecifiedLineTradeAgreement/ram:NetPriceProductTradePrice/ram:ChargeAmount')} >= 0`],
  ['BR-30', `${line}//ram:BillingSpecifiedPeriod`, 'xs:integer(ram:EndDateTime/*) >= xs:integer(ram:StartDateTime/*)'],
  ['BR-45', group, 'exists(ram:BasisAmount)'],
  ['BR-46', group, 'exists(ram:CalculatedAmount)'],
  ['BR-47', group, "normalize-space(ram:CategoryCode) != ''"],
  ['BR-48', group, "exists(ram:RateApplicablePercent) or ram:CategoryCode = 'O'"],
  ['BR-49', `${settlement}/ram:SpecifiedTradeSettlementPaymentMeans`, "normalize-space(ram:TypeCode) != ''"],
  ['BR-50', `${settlement}/ram:SpecifiedTradeSettlementPaymentMeans`, 'exists(.//ram:IBANID | .//ram:ProprietaryID)'],
  ['BR-55', `${settlement}/ram:InvoiceReferencedDocument`, "normalize-space(ram:IssuerAssignedID) != ''"],
  [
    'BR-61',
    `${settlement}/ram:SpecifiedTradeSettlementPaymentMeans[ram:TypeCode = ('30', '58')]`,
    'exists(.//ram:IBANID)',
  ],
  ['BR-62', `${seller}/ram:URIUniversalCommunication`, 'exists(ram:URIID/@schemeID)'],
  ['BR-63', `${buyer}/ram:URIUniversalCommunication`, 'exists(ram:URIID/@schemeID)'],
  ['BR-CO-04', line, `exists(${lineVat}/ram:CategoryCode)`],
  ['BR-CO-09', `//${hasTax('VA')}`, "matches(., '^([A-Z]{2}).+$')"],
  ['BR-CO-10', sums, equal(decimal('ram:LineTotalAmount'), `sum(${line}/xs:decimal(${lineNet}))`)],
  ['BR-CO-13', sums, equal(decimal('ram:TaxBasisTotalAmount'), decimal('ram:LineTotalAmount'))],
  ['BR-CO-14', sums, equal(decimal('ram:TaxTotalAmount'), `sum(${group}/xs:decimal(ram:CalculatedAmount))`)],
  [
    'BR-CO-15',
    sums,
    equal(decimal('ram:GrandTotalAmount'), `${decimal('ram:TaxBasisTotalAmount')} + ${decimal('ram:TaxTotalAmount')}`),
  ],
  [
    'BR-CO-16',
    sums,
    equal(
      decimal('ram:DuePayableAmount'),
      `${decimal('ram:GrandTotalAmount')} - ${optional('ram:TotalPrepaidAmount')}`,
    ),
  ],
  ['BR-CO-18', invoice, `exists(${group})`],
  [
    'BR-CO-25',
    `${settlement}[xs:decimal(//ram:DuePayableAmount) > 0 and //rsm:ExchangedDocument/ram:TypeCode = '380']`,
    'exists(ram:SpecifiedTradePaymentTerms/(ram:DueDateDateTime | ram:Description))',
  ],
  [
    'BR-CO-26',
    invoice,
    `exists(${seller}/(ram:ID | ram:GlobalID | ram:SpecifiedLegalOrganization/ram:ID | ${hasTax('VA')}))`,
  ],
  ['BR-53', sums, 'ram:TaxTotalAmount/@currencyID = //ram:InvoiceCurrencyCode'],
  ['BR-DEC-09', sums, places('ram:LineTotalAmount')],
  ['BR-DEC-12', sums, places('ram:TaxBasisTotalAmount')],
  ['BR-DEC-13', sums, places('ram:TaxTotalAmount')],
  ['BR-DEC-14', sums, places('ram:GrandTotalAmount')],
  ['BR-DEC-16', sums, places('ram:TotalPrepaidAmount')],
  ['BR-DEC-18', sums, places('ram:DuePayableAmount')],
  ['BR-DEC-19', group, places('ram:BasisAmount')],
  ['BR-DEC-20', group, places('ram:CalculatedAmount')],
  ['BR-DEC-23', line, places(lineNet)],
  ...ofCategory('S', 'BR-S'),
  ...ofCategory('Z', 'BR-Z'),
  ...ofCategory('E', 'BR-E'),
  ...ofCategory('AE', 'BR-AE'),
  ...ofCategory('G', 'BR-G'),
  ...ofCategory('O', 'BR-O'),
  ['BR-O-11', `${invoice}[${group}/ram:CategoryCode = 'O']`, `count(${group}) = 1`],
];

const resolve = { namespaceResolver: (prefix: string) => namespaces[prefix] ?? null };

/** The rules that an invoice in XML breaks, by their names; empty for one that holds. */
export const brokenRules = (xml: string): readonly string[] => {
  const document = parseXmlDocument(xml);
  const broken = rules.filter(([, context, test]) =>
    evaluateXPathToNodes(context, document, null, {}, resolve).some(
      (node) => !evaluateXPathToBoolean(`boolean(${test})`, node, null, {}, resolve),
    ),
  );
  return [...new Set(broken.map(([name]) => name))];
};
