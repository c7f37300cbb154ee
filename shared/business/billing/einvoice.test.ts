import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { validateXML } from 'xmllint-wasm';
import { createLocalDiskBlobs } from '#shared/blobs/local-disk.ts';
import { berlin, billingOn } from '#tests/support/billing.ts';
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
