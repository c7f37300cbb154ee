import { money, toDecimal } from '../../kernel/money.ts';
import type { EInvoice, ELine, EParty } from './einvoice.ts';

/** An element: its name, then text, or children in order. Attributes are in `@`. */
type Node = readonly [
  name: string,
  content: string | readonly (Node | undefined)[],
  attributes?: Readonly<Record<string, string>>,
];

const node = (name: string, content: Node[1], attributes?: Node[2]): Node =>
  attributes === undefined ? [name, content] : [name, content, attributes];
const maybe = (name: string, content: string | undefined): Node | undefined =>
  content === undefined ? undefined : node(name, content);

const date = (name: string, day: string, prefix = 'udt'): Node =>
  node(name, [node(`${prefix}:DateTimeString`, day.replaceAll('-', ''), { format: '102' })]);

const percent = (rate: number): string => String(rate / 10_000);

const partyNode = (name: string, { name: called, vatId, registration, email, address, country }: EParty): Node =>
  node(name, [
    node('ram:Name', called),
    registration === undefined ? undefined : node('ram:SpecifiedLegalOrganization', [node('ram:ID', registration)]),
    node('ram:PostalTradeAddress', [
      maybe('ram:PostcodeCode', address?.postalCode),
      maybe('ram:LineOne', address?.line1),
      maybe('ram:LineTwo', address?.line2),
      maybe('ram:CityName', address?.city),
      node('ram:CountryID', country),
      maybe('ram:CountrySubDivisionName', address?.region),
    ]),
    email === undefined
      ? undefined
      : node('ram:URIUniversalCommunication', [node('ram:URIID', email, { schemeID: 'EM' })]),
    vatId === undefined ? undefined : node('ram:SpecifiedTaxRegistration', [node('ram:ID', vatId, { schemeID: 'VA' })]),
  ]);

const lineNode = (line: ELine, amount: (minor: number) => string): Node =>
  node('ram:IncludedSupplyChainTradeLineItem', [
    node('ram:AssociatedDocumentLineDocument', [node('ram:LineID', line.id)]),
    node('ram:SpecifiedTradeProduct', [node('ram:Name', line.name)]),
    node('ram:SpecifiedLineTradeAgreement', [
      node('ram:NetPriceProductTradePrice', [node('ram:ChargeAmount', amount(line.price))]),
    ]),
    node('ram:SpecifiedLineTradeDelivery', [node('ram:BilledQuantity', String(line.quantity), { unitCode: 'C62' })]),
    node('ram:SpecifiedLineTradeSettlement', [
      node('ram:ApplicableTradeTax', [
        node('ram:TypeCode', 'VAT'),
        node('ram:CategoryCode', line.category),
        line.category === 'O' ? undefined : node('ram:RateApplicablePercent', percent(line.rate)),
      ]),
      line.period === null
        ? undefined
        : node('ram:BillingSpecifiedPeriod', [
            date('ram:StartDateTime', line.period.from),
            date('ram:EndDateTime', line.period.to),
          ]),
      node('ram:SpecifiedTradeSettlementLineMonetarySummation', [node('ram:LineTotalAmount', amount(line.net))]),
    ]),
  ]);

const settlementNode = (e: EInvoice, amount: (minor: number) => string): Node =>
  node('ram:ApplicableHeaderTradeSettlement', [
    node('ram:InvoiceCurrencyCode', e.currency),
    e.iban === undefined
      ? undefined
      : node('ram:SpecifiedTradeSettlementPaymentMeans', [
          node('ram:TypeCode', '58'),
          node('ram:PayeePartyCreditorFinancialAccount', [node('ram:IBANID', e.iban)]),
        ]),
    ...e.groups.map(({ category, rate, reason, taxable, tax }) =>
      node('ram:ApplicableTradeTax', [
        node('ram:CalculatedAmount', amount(tax)),
        node('ram:TypeCode', 'VAT'),
        ['E', 'AE', 'G', 'O'].includes(category) ? node('ram:ExemptionReason', reason) : undefined,
        node('ram:BasisAmount', amount(taxable)),
        node('ram:CategoryCode', category),
        category === 'O' ? undefined : node('ram:RateApplicablePercent', percent(rate)),
      ]),
    ),
    e.due === undefined ? undefined : node('ram:SpecifiedTradePaymentTerms', [date('ram:DueDateDateTime', e.due)]),
    node('ram:SpecifiedTradeSettlementHeaderMonetarySummation', [
      node('ram:LineTotalAmount', amount(e.lineTotal)),
      node('ram:TaxBasisTotalAmount', amount(e.taxable)),
      node('ram:TaxTotalAmount', amount(e.tax), { currencyID: e.currency }),
      node('ram:GrandTotalAmount', amount(e.total)),
      node('ram:TotalPrepaidAmount', amount(e.prepaid)),
      node('ram:DuePayableAmount', amount(e.payable)),
    ]),
    e.preceding === undefined
      ? undefined
      : node('ram:InvoiceReferencedDocument', [node('ram:IssuerAssignedID', e.preceding)]),
  ]);

const rootNode = (e: EInvoice): Node => {
  const amount = (minor: number): string => toDecimal(money(minor, e.currency));
  return node(
    'rsm:CrossIndustryInvoice',
    [
      node('rsm:ExchangedDocumentContext', [
        node('ram:GuidelineSpecifiedDocumentContextParameter', [node('ram:ID', 'urn:cen.eu:en16931:2017')]),
      ]),
      node('rsm:ExchangedDocument', [
        node('ram:ID', e.number),
        node('ram:TypeCode', e.type),
        date('ram:IssueDateTime', e.issued),
        e.note === undefined ? undefined : node('ram:IncludedNote', [node('ram:Content', e.note)]),
      ]),
      node('rsm:SupplyChainTradeTransaction', [
        ...e.lines.map((line) => lineNode(line, amount)),
        node('ram:ApplicableHeaderTradeAgreement', [
          partyNode('ram:SellerTradeParty', e.seller),
          partyNode('ram:BuyerTradeParty', e.buyer),
        ]),
        node('ram:ApplicableHeaderTradeDelivery', [
          node('ram:ActualDeliverySupplyChainEvent', [date('ram:OccurrenceDateTime', e.issued)]),
        ]),
        settlementNode(e, amount),
      ]),
    ],
    {
      'xmlns:rsm': 'urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100',
      'xmlns:ram': 'urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100',
      'xmlns:udt': 'urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100',
    },
  );
};

/** Cross Industry Invoice (UN/CEFACT D16B) of the profile EN 16931, as it also stands in a Factur-X file. */
export const ciiXml = async (e: EInvoice): Promise<string> => {
  const { create } = await import('xmlbuilder2');
  const document = create({ version: '1.0', encoding: 'UTF-8' });
  const add = (parent: ReturnType<typeof create>, [name, content, attributes = {}]: Node): void => {
    const element = parent.ele(name, attributes);
    if (typeof content === 'string') element.txt(content);
    else for (const child of content) if (child !== undefined) add(element, child);
  };
  add(document, rootNode(e));
  return document.end({ prettyPrint: false });
};
