import type { BlobStore } from '../../blobs/blobs.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Stored, TenantStore } from '../../store/store.ts';
import { notFound } from './billing.fields.ts';
import { type EInvoice, eInvoiceOf, violations } from './einvoice.ts';
import { ciiXml } from './einvoice.xml.ts';
import type { Invoice } from './invoice.schema.ts';

export interface DocumentLink {
  /** Works without a credential until then. */
  readonly url: string;
  readonly expiresAt: string;
}

export interface InvoiceDocuments {
  /**
   * A URL to an invoice as a file: PDF with the XML inside (Factur-X), or the XML alone (EN 16931, CII). It is written
   * when it is first asked for, and is the same from then on. Fails with `not-found`, and with `precondition-failed` for
   * one that is not final or that EN 16931 has no form for, with the rules that it breaks.
   */
  link(actor: Actor, id: string, format: 'pdf' | 'xml'): Promise<DocumentLink>;
}

export interface InvoiceDocumentsOptions {
  readonly invoices: TenantStore<Invoice>;
  readonly blobs: Pick<BlobStore, 'of'>;
  readonly clock: Clock;
}

/** Seconds. */
const validFor = 900;
const types = { pdf: 'application/pdf', xml: 'application/xml' } as const;

export const createInvoiceDocuments = ({ invoices, blobs, clock }: InvoiceDocumentsOptions): InvoiceDocuments => {
  const find = async (tenant: string, id: string): Promise<Stored<Invoice>> => {
    const stored = await invoices.of(tenant).get(id);
    if (stored === undefined) throw notFound('invoice');
    return stored;
  };

  const modelOf = async (tenant: string, { value }: Stored<Invoice>): Promise<EInvoice> => {
    const preceding = value.corrects === null ? undefined : (await find(tenant, value.corrects)).value.number;
    const model = eInvoiceOf(value, preceding ?? undefined);
    if (model === undefined) throw new OmniError('precondition-failed', 'A draft has no documents. Make it final.');
    const broken = violations(model);
    if (broken.length > 0) {
      throw new OmniError('precondition-failed', `EN 16931 has no form for this invoice: ${broken.join(', ')}.`);
    }
    return model;
  };

  const render = async (model: EInvoice, format: 'pdf' | 'xml'): Promise<Uint8Array> => {
    const xml = await ciiXml(model);
    if (format === 'xml') return Buffer.from(xml);
    const { invoicePdf } = await import('./invoice.pdf.ts');
    return invoicePdf(model, { xml, at: new Date(`${model.issued}T00:00:00.000Z`) });
  };

  return {
    link: async ({ tenant }, id, format) => {
      const stored = await find(tenant, id);
      const own = blobs.of(tenant);
      const key = `billing/invoices/${id}.${format}`;
      if ((await own.info(key)) === undefined) {
        const bytes = await render(await modelOf(tenant, stored), format);
        try {
          await own.put(key, bytes, { contentType: types[format], ifGeneration: 'absent' });
        } catch (error) {
          // Somebody else wrote the same at the same moment.
          if (!isOmniError(error, 'precondition-failed')) throw error;
        }
      }
      const url = await own.signedUrl(key, { action: 'read', expiresIn: validFor });
      return { url, expiresAt: isoTime(clock.now() + validFor * 1_000) };
    },
  };
};
