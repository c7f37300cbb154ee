import { once } from 'node:events';
import { createRequire } from 'node:module';
import { money, toDecimal } from '../../kernel/money.ts';
import type { EInvoice, EParty } from './einvoice.ts';

export interface PdfOptions {
  /** The same invoice for machines, embedded as Factur-X wants it. */
  readonly xml: string;
  /** When it was issued: the file is the same however often it is made. */
  readonly at: Date;
}

const margin = 56;
const right = 539;
const bottom = 760;
const grey = '#5b6270';

const addressOf = ({ name, address, country, vatId, registration }: EParty): string =>
  [
    name,
    address?.line1,
    address?.line2,
    address === null ? undefined : [address.postalCode, address.city].join(' '),
    address?.region,
    country,
    vatId === undefined ? undefined : `VAT ${vatId}`,
    registration,
  ]
    .filter((line) => line !== undefined)
    .join('\n');

/** What readers look for to find the invoice within (Factur-X 1.07, section 6.2). */
const facturX = `
  <rdf:Description rdf:about="" xmlns:fx="urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#">
    <fx:DocumentType>INVOICE</fx:DocumentType>
    <fx:DocumentFileName>factur-x.xml</fx:DocumentFileName>
    <fx:Version>1.0</fx:Version>
    <fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>
  </rdf:Description>
  <rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
    <pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
      <pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>
      <pdfaSchema:namespaceURI>urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#</pdfaSchema:namespaceURI>
      <pdfaSchema:prefix>fx</pdfaSchema:prefix>
      <pdfaSchema:property><rdf:Seq>${['DocumentFileName', 'DocumentType', 'Version', 'ConformanceLevel']
        .map(
          (name) => `
        <rdf:li rdf:parseType="Resource">
          <pdfaProperty:name>${name}</pdfaProperty:name>
          <pdfaProperty:valueType>Text</pdfaProperty:valueType>
          <pdfaProperty:category>external</pdfaProperty:category>
          <pdfaProperty:description>${name}</pdfaProperty:description>
        </rdf:li>`,
        )
        .join('')}
      </rdf:Seq></pdfaSchema:property>
    </rdf:li></rdf:Bag></pdfaExtension:schemas>
  </rdf:Description>`;

const fontFile = (name: string): string => createRequire(import.meta.url).resolve(`dejavu-fonts-ttf/ttf/${name}.ttf`);

type Doc = InstanceType<Awaited<ReturnType<typeof load>>>;

const load = async () => {
  const { default: PdfDocument } = await import('pdfkit');
  return PdfDocument;
};

const header = (doc: Doc, e: EInvoice): void => {
  const title = e.type === '381' ? 'Credit note' : 'Invoice';
  doc.font('bold').fontSize(20).text(title, margin, margin);
  doc.font('regular').fontSize(9).fillColor(grey);
  const facts = [
    ['Number', e.number],
    ['Date', e.issued],
    ['Due', e.due],
    ['Corrects', e.preceding],
  ].filter(([, value]) => value !== undefined);
  facts.forEach(([name = '', value = ''], i) => {
    doc.fillColor(grey).text(name, 380, margin + 4 + i * 14, { width: 60 });
    doc.fillColor('black').text(value, 440, margin + 4 + i * 14, { width: right - 440, align: 'right' });
  });
  const [seller, buyer] = [addressOf(e.seller), addressOf(e.buyer)];
  const top = 130;
  doc.fillColor(grey).text('From', margin, top).text('To', 310, top);
  doc.fillColor('black').text(seller, margin, top + 14, { width: 230 });
  const end = doc.y;
  doc.text(buyer, 310, top + 14, { width: right - 310 });
  doc.y = Math.max(end, doc.y) + 24;
};

const columns = [
  { x: margin, width: 300, align: 'left' },
  { x: 362, width: 42, align: 'right' },
  { x: 408, width: 55, align: 'right' },
  { x: 467, width: right - 467, align: 'right' },
] as const;

const row = (doc: Doc, cells: readonly string[]): void => {
  const heights = cells.map((cell, i) => doc.heightOfString(cell, { width: columns[i]?.width ?? 0 }));
  const height = Math.max(...heights) + 6;
  if (doc.y + height > bottom) {
    doc.addPage();
    doc.y = margin;
  }
  const { y } = doc;
  cells.forEach((cell, i) => {
    const column = columns[i];
    if (column !== undefined) doc.text(cell, column.x, y, { width: column.width, align: column.align });
  });
  doc.y = y + height;
};

const rule = (doc: Doc): void => {
  doc.moveTo(margin, doc.y).lineTo(right, doc.y).lineWidth(0.5).strokeColor('#c8ccd4').stroke();
  doc.y += 6;
};

const body = (doc: Doc, e: EInvoice): void => {
  const amount = (minor: number): string => toDecimal(money(minor, e.currency));
  const percent = (rate: number): string => `${rate / 10_000} %`;
  doc.font('bold').fontSize(9);
  row(doc, ['Description', 'Qty', 'Price', `Net ${e.currency}`]);
  rule(doc);
  doc.font('regular');
  for (const line of e.lines) row(doc, [line.name, String(line.quantity), amount(line.price), amount(line.net)]);
  rule(doc);
  row(doc, ['Net', '', '', amount(e.taxable)]);
  for (const { category, rate, reason, taxable, tax } of e.groups) {
    const name = category === 'S' ? `VAT ${percent(rate)} on ${amount(taxable)}` : reason;
    row(doc, [name, '', '', amount(tax)]);
  }
  doc.font('bold');
  row(doc, ['Total', '', '', amount(e.total)]);
  doc.font('regular');
  if (e.prepaid !== 0) row(doc, ['Credit', '', '', amount(-e.prepaid)]);
  if (e.type === '380')
    row(doc, [`To pay${e.due === undefined ? '' : ` by ${e.due}`}`, '', '', `${amount(e.payable)}`]);
  doc.y += 12;
  doc.fillColor(grey);
  if (e.note !== undefined) doc.text(e.note, margin, doc.y, { width: right - margin });
  if (e.iban !== undefined) doc.text(`IBAN ${e.iban}`, margin, doc.y + 4, { width: right - margin });
};

/**
 * An invoice for people, as PDF/A-3b with the one for machines inside (Factur-X, profile EN 16931). Its font has Latin, Greek
 * and Cyrillic and is embedded. pdfkit is loaded when the first one is made.
 */
export const invoicePdf = async (e: EInvoice, { xml, at }: PdfOptions): Promise<Buffer> => {
  const PdfDocument = await load();
  const doc = new PdfDocument({
    size: 'A4',
    margin,
    pdfVersion: '1.7',
    subset: 'PDF/A-3b',
    font: fontFile('DejaVuSans'),
    info: {
      Title: `${e.type === '381' ? 'Credit note' : 'Invoice'} ${e.number}`,
      Author: e.seller.name,
      CreationDate: at,
      ModDate: at,
    },
  });
  doc.registerFont('regular', fontFile('DejaVuSans'));
  doc.registerFont('bold', fontFile('DejaVuSans-Bold'));
  const parts: Buffer[] = [];
  doc.on('data', (part: Buffer) => parts.push(part));
  const done = once(doc, 'end');
  header(doc, e);
  body(doc, e);
  const attachment = {
    name: 'factur-x.xml',
    type: 'text/xml',
    description: 'The invoice for machines',
    creationDate: at,
    modifiedDate: at,
    relationship: 'Alternative',
  };
  doc.file(Buffer.from(xml), attachment);
  doc.appendXML(facturX);
  doc.end();
  await done;
  return Buffer.concat(parts);
};
