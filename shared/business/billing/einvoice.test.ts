import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { validateXML } from 'xmllint-wasm';
import { createLocalDiskBlobs } from '#shared/blobs/local-disk.ts';
import { berlin, billingOn } from '#tests/support/billing.ts';
import { brokenRules } from '#tests/support/en16931.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import { type EInvoice, eInvoiceOf, violations } from './einvoice.ts';
import { ciiXml } from './einvoice.xml.ts';
import { invoicePdf } from './invoice.pdf.ts';
import { newInvoiceSchema } from './invoice.schema.ts';

fc.configureGlobal({ seed: 20_260_101 });

const folder = await mkdtemp(join(tmpdir(), 'omni-einvoice-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
const blobs = createLocalDiskBlobs({ root: folder, baseUrl: 'http://127.0.0.1:1/blobs', signingKey: 'of-tests' });
const world = billingOn(embeddedDatabase(), { blobs });
const schemas = new URL('../../../tests/support/factur-x/', import.meta.url);
const files = await Promise.all(
  (await readdir(schemas)).map(async (fileName) => ({
    fileName,
    contents: await readFile(new URL(fileName, schemas), 'utf8'),
  })),
);
const main = files.filter(({ fileName }) => fileName.endsWith('EN16931.xsd'));

/** What the schema of Factur-X 1.07 finds wrong. */
const errorsIn = async (xml: string) => {
  const { errors } = await validateXML({
    xml: [{ fileName: 'invoice.xml', contents: xml }],
    schema: main,
    preload: files.filter((file) => !main.includes(file)),
  });
  return errors.map(({ message }) => message);
};

const final = async (customer: object, lines: object[], settings: object = {}) => {
  const actor = await world.tenant({
    seller: { ...berlin, email: 'books@acme.example', iban: 'DE89370400440532013000' },
    ...settings,
  });
  const who = await world.customer(actor, customer);
  const { id } = await world.billingInvoices.create(actor, newInvoiceSchema.parse({ customer: who.id, lines }));
  return { actor, invoice: await world.billingInvoices.finalise(actor, id) };
};
const modelOf = (invoice: Parameters<typeof eInvoiceOf>[0], preceding?: string): EInvoice => {
  const model = eInvoiceOf(invoice, preceding);
  if (model === undefined) throw new Error('It is not final.');
  return model;
};

const athens = {
  name: 'Ελένη Παπαδοπούλου <& Υιοί>',
  country: 'GR',
  address: { line1: 'Ερμού 1', postalCode: '105 63', city: 'Αθήνα' },
};
const lines = [
  { description: 'Настройка и обучение', quantity: 3, unitAmount: 3_333 },
  { description: 'Žluťoučký kůň, ½ price', unitAmount: 4_999, taxBehaviour: 'inclusive' },
  { description: 'Book', unitAmount: 1_000, taxCategory: 'reduced' },
  { description: 'Rebate', unitAmount: -500 },
];

describe('an electronic invoice', () => {
  it('fits the schema of EN 16931, and breaks none of its rules', async () => {
    const { invoice } = await final(athens, lines, { usesOss: true });
    const model = modelOf(invoice);
    expect(violations(model)).toEqual([]);
    const xml = await ciiXml(model);
    expect(await errorsIn(xml)).toEqual([]);
    expect(xml).toContain('<ram:ID>urn:cen.eu:en16931:2017</ram:ID>');
    expect(xml).toContain('&lt;&amp; Υιοί&gt;');
    expect(xml).toContain('<ram:RateApplicablePercent>24</ram:RateApplicablePercent>');
  });

  it.each([
    ['reverse charge', { country: 'GB', kind: 'business' }, {}, 'G'],
    ['no registration', {}, { seller: { ...berlin, vatId: undefined, registration: 'HRB 1' } }, 'O'],
    ['exemption', { isTaxExempt: true }, {}, 'E'],
  ])('says why no tax is charged: %s', async (_what, customer, settings, category) => {
    const { invoice } = await final(customer, [{ description: 'Work', unitAmount: 10_000 }], settings);
    const model = modelOf(invoice);
    expect([model.groups[0]?.category, violations(model)]).toEqual([category, []]);
    const xml = await ciiXml(model);
    expect(await errorsIn(xml)).toEqual([]);
    expect(xml).toContain('<ram:ExemptionReason>');
  });

  it('is a credit note that names its invoice', async () => {
    const { actor, invoice } = await final({}, [{ description: 'Work', unitAmount: 10_000 }]);
    const note = await world.billingInvoices.credit(actor, invoice.id, { reason: 'Outage', refund: 'wallet' });
    const model = modelOf(note, invoice.number ?? '');
    expect(violations(model)).toEqual([]);
    const xml = await ciiXml(model);
    expect(await errorsIn(xml)).toEqual([]);
    expect(xml).toContain('<ram:TypeCode>381</ram:TypeCode>');
    expect(xml).toContain('<ram:IssuerAssignedID>INV-000001</ram:IssuerAssignedID>');
  });

  it.each<[string, (model: EInvoice) => EInvoice]>([
    [
      'BR-CO-10',
      (e) => ({ ...e, lineTotal: e.lineTotal + 1, taxable: e.taxable + 1, total: e.total + 1, payable: e.payable + 1 }),
    ],
    ['BR-CO-13', (e) => ({ ...e, taxable: e.taxable + 1, total: e.total + 1, payable: e.payable + 1 })],
    ['BR-CO-14', (e) => ({ ...e, tax: e.tax + 1, total: e.total + 1, payable: e.payable + 1 })],
    ['BR-CO-15', (e) => ({ ...e, total: e.total + 1, payable: e.payable + 1 })],
    ['BR-CO-16', (e) => ({ ...e, payable: e.payable + 1 })],
    [
      'BR-CO-17',
      (e) => ({
        ...e,
        tax: e.tax + 100,
        total: e.total + 100,
        payable: e.payable + 100,
        groups: e.groups.map((g) => ({ ...g, tax: g.tax + 100 })),
      }),
    ],
    ['BR-CO-25', (e) => ({ ...e, due: undefined })],
    ['BR-27', (e) => ({ ...e, lines: e.lines.map((line) => ({ ...line, price: -1 })) })],
    ['BR-55', (e) => ({ ...e, type: '381' })],
  ])('that breaks %s is found', async (rule, spoil) => {
    const { invoice } = await final({}, [{ description: 'Work', unitAmount: 10_000 }]);
    expect(violations(spoil(modelOf(invoice)))).toContain(rule);
  });

  it('breaks no rule, whatever is on it', async () => {
    const line = fc.record({
      description: fc.constant('X'),
      quantity: fc.integer({ min: 1, max: 20 }),
      unitAmount: fc.integer({ min: -5_000, max: 100_000 }),
      taxCategory: fc.constantFrom('standard', 'reduced', 'exempt'),
      taxBehaviour: fc.constantFrom('exclusive', 'inclusive'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 6 }), async (some) => {
        expect(violations(modelOf((await final({}, some)).invoice))).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});

describe('an invoice as PDF', () => {
  it('has the XML in it, embeds its fonts, and is the same each time', async () => {
    const { actor, invoice } = await final(athens, lines, { usesOss: true });
    const model = modelOf(invoice);
    const xml = await ciiXml(model);
    const at = new Date('2026-01-01T00:00:00Z');
    const pdf = await invoicePdf(model, { xml, at });
    const text = pdf.toString('latin1');
    expect(text.slice(0, 8)).toBe('%PDF-1.7');
    for (const part of [
      '/AFRelationship /Alternative',
      'factur-x.xml',
      '<pdfaid:part>3</pdfaid:part>',
      '/FontFile2',
      '<fx:ConformanceLevel>EN 16931',
    ]) {
      expect(text).toContain(part);
    }
    await writeFile(join(tmpdir(), 'omni-invoice-example.pdf'), pdf);
    const link = await world.invoiceDocuments.link(actor, invoice.id, 'pdf');
    expect(link).toMatchObject({
      url: expect.stringContaining(`${invoice.id}.pdf`),
      expiresAt: '2026-01-01T00:15:00.000Z',
    });
    expect((await world.invoiceDocuments.link(actor, invoice.id, 'pdf')).url).toContain(invoice.id);
    const { body } = await blobs.of(actor.tenant).read(`billing/invoices/${invoice.id}.pdf`);
    expect(
      Buffer.concat(await body.toArray())
        .subarray(0, 5)
        .toString(),
    ).toBe('%PDF-');
  });

  it('is not made of a draft, nor for another tenant', async () => {
    const actor = await world.tenant();
    const who = await world.customer(actor);
    const draft = await world.billingInvoices.create(
      actor,
      newInvoiceSchema.parse({ customer: who.id, lines: [{ description: 'X', unitAmount: 1 }] }),
    );
    await expect(world.invoiceDocuments.link(actor, draft.id, 'pdf')).rejects.toMatchObject({
      code: 'precondition-failed',
    });
    const { invoice } = await final({}, [{ description: 'X', unitAmount: 1 }]);
    await expect(world.invoiceDocuments.link(actor, invoice.id, 'xml')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('goes over as many pages as its lines want', async () => {
    const many = Array.from({ length: 90 }, (_, i) => ({
      description: `Line ${i + 1} with quite a long description that has to be wrapped`,
      unitAmount: 100,
    }));
    const model = modelOf((await final({}, many)).invoice);
    const text = (await invoicePdf(model, { xml: await ciiXml(model), at: new Date(0) })).toString('latin1');
    expect(Number(/\/Type \/Pages\n\/Count (\d+)/.exec(text)?.[1])).toBeGreaterThan(2);
  });
});

describe('the rules of EN 16931 over the XML', () => {
  const sampled = async () => {
    const world = billingOn(embeddedDatabase(), {
      blobs,
      register: { check: async () => ({ valid: true, consultation: 'WAPIAAAA' }) },
    });
    const xmlOf = async (customer: object, of: object[], settings: object = {}) => {
      const actor = await world.tenant({
        seller: { ...berlin, email: 'books@acme.example', iban: 'DE89370400440532013000' },
        ...settings,
      });
      const who = await world.customer(actor, customer);
      const input = newInvoiceSchema.parse({ customer: who.id, lines: of });
      const { id } = await world.billingInvoices.create(actor, input);
      const invoice = await world.billingInvoices.finalise(actor, id);
      const note = () => world.billingInvoices.credit(actor, id, { reason: 'Outage', refund: 'elsewhere' });
      return { invoice, note, xml: await ciiXml(modelOf(invoice)) };
    };
    return { xmlOf };
  };
  const paris = { country: 'FR', kind: 'business', vatId: 'FR40303265045' };
  const abroad = { name: 'Seller Inc', address: berlin.address, country: 'US', registration: '12-3456789' };

  it.each<[string, object, object[], object?]>([
    ['rates of several kinds, with and without tax in them', { country: 'DE' }, lines],
    ['tax rounded on each line', { country: 'DE' }, lines, { taxRounding: 'per-line' }],
    ['another country’s rate', athens, lines, { usesOss: true }],
    ['reverse charge', paris, lines],
    ['export', { country: 'US' }, lines],
    ['an exempt buyer', { country: 'DE', isTaxExempt: true }, lines],
    [
      'an exempt line beside another',
      { country: 'DE' },
      [...lines, { description: 'Course', unitAmount: 900, taxCategory: 'exempt' }],
    ],
    ['nothing subject to VAT', { country: 'US' }, lines, { seller: abroad }],
    ['what is owed to the buyer', { country: 'DE' }, [{ description: 'Back', unitAmount: -1_000 }]],
    ['a currency without decimals', { country: 'DE' }, lines, { currency: 'JPY' }],
  ])('hold for %s, and for its credit note', async (_what, customer, of, settings) => {
    const { xmlOf } = await sampled();
    const { invoice, note, xml } = await xmlOf(customer, of, settings);
    expect(brokenRules(xml)).toEqual([]);
    expect(await errorsIn(xml)).toEqual([]);
    if (invoice.total <= 0) return;
    const credit = await ciiXml(modelOf(await note(), invoice.number ?? undefined));
    expect(brokenRules(credit)).toEqual([]);
    expect(await errorsIn(credit)).toEqual([]);
  });

  it('are each found where they are broken', async () => {
    const { xmlOf } = await sampled();
    const [{ xml }, { xml: reverse }] = [await xmlOf({ country: 'DE' }, lines), await xmlOf(paris, lines)];
    const breaks: readonly (readonly [rule: string, from: string, pattern: RegExp, to: string])[] = [
      ['BR-02', xml, /<ram:ID>INV-000001<\/ram:ID>/, '<ram:ID/>'],
      ['BR-03', xml, /format="102">\d+/, 'format="102">1 May'],
      ['BR-04', xml, /<ram:TypeCode>380/, '<ram:TypeCode>999'],
      ['BR-06', xml, /<ram:Name>Acme GmbH/, '<ram:Name>'],
      ['BR-09', xml, /<ram:CountryID>DE<\/ram:CountryID>/, ''],
      ['BR-25', xml, /<ram:SpecifiedTradeProduct>.*?<\/ram:SpecifiedTradeProduct>/, ''],
      ['BR-27', xml, /<ram:ChargeAmount>/, '<ram:ChargeAmount>-'],
      ['BR-50', xml, /<ram:IBANID>.*?<\/ram:IBANID>/, ''],
      ['BR-53', xml, /currencyID="EUR"/, 'currencyID="USD"'],
      ['BR-62', xml, / schemeID="EM"/, ''],
      ['BR-CO-10', xml, /(Summation><ram:LineTotalAmount>)\d+(\.\d+<\/ram:LineTotalAmount><ram:TaxBasis)/, '$17$2'],
      ['BR-CO-13', xml, /<ram:TaxBasisTotalAmount>/, '<ram:TaxBasisTotalAmount>1'],
      ['BR-CO-14', xml, /(<ram:TaxTotalAmount[^>]*>)/, '$11'],
      ['BR-CO-15', xml, /<ram:GrandTotalAmount>/, '<ram:GrandTotalAmount>1'],
      ['BR-CO-16', xml, /<ram:DuePayableAmount>/, '<ram:DuePayableAmount>1'],
      ['BR-CO-25', xml, /<ram:SpecifiedTradePaymentTerms>.*?<\/ram:SpecifiedTradePaymentTerms>/, ''],
      ['BR-CO-26', xml, /<ram:SpecifiedTaxRegistration>.*?<\/ram:SpecifiedTaxRegistration>/, ''],
      ['BR-DEC-14', xml, /(<ram:GrandTotalAmount>[\d.]+)/, '$10'],
      ['BR-S-05', xml, /<ram:RateApplicablePercent>19/, '<ram:RateApplicablePercent>0'],
      ['BR-S-08', xml, /<ram:BasisAmount>/, '<ram:BasisAmount>1'],
      ['BR-S-09', xml, /<ram:CalculatedAmount>/, '<ram:CalculatedAmount>9'],
      ['BR-AE-02', reverse, /<ram:ID schemeID="VA">FR.*?<\/ram:ID>/, ''],
      ['BR-AE-05', reverse, /<ram:RateApplicablePercent>0/, '<ram:RateApplicablePercent>20'],
      ['BR-AE-10', reverse, /<ram:ExemptionReason>.*?<\/ram:ExemptionReason>/, ''],
      ['BR-E-01', reverse, /<ram:CategoryCode>AE/, '<ram:CategoryCode>E'],
    ];
    for (const [rule, from, pattern, to] of breaks) {
      const broken = from.replace(pattern, to);
      expect([rule, broken === from]).toEqual([rule, false]);
      expect(brokenRules(broken)).toContain(rule);
    }
  });
});
