import { type Actor, idsFor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { AuditLog } from '../../security/index.ts';
import type { Database, Stored, TenantStore, Transaction } from '../../store/store.ts';
import { badField, notFound } from './billing.fields.ts';
import type { Customer, CustomerChange, CustomerView, NewCustomer } from './customer.schema.ts';
import type { BillingSettingsService } from './settings.service.ts';
import type { Subscription } from './subscription.schema.ts';
import type { VatEvidence } from './tax.schema.ts';
import { euCountries } from './vat.rates.ts';
import type { VatRegister } from './vat-register.ts';

export interface CustomerService {
  /** Fails with `invalid-request` for a VAT number of another country, or one that the settings want checked and can't. */
  create(actor: Actor, input: NewCustomer): Promise<CustomerView>;
  get(actor: Actor, id: string): Promise<CustomerView>;
  /** By id. */
  list(actor: Actor, page: PageRequest): Promise<Page<CustomerView>>;
  change(actor: Actor, id: string, change: CustomerChange): Promise<CustomerView>;
  /** Asks the register again, whatever it said before. Fails with `precondition-failed` where there is no number. */
  checkVatId(actor: Actor, id: string): Promise<CustomerView>;
  /**
   * Takes their name and address away. Invoices keep theirs: the law wants them for years. Fails with
   * `precondition-failed` while a subscription is not over.
   */
  erase(actor: Actor, id: string): Promise<CustomerView>;
}

export interface CustomerServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly customers: TenantStore<Customer>;
  readonly subscriptions: TenantStore<Subscription>;
  readonly settings: Pick<BillingSettingsService, 'contextOf'>;
  /** Without one every number counts as not checked. */
  readonly register?: VatRegister | undefined;
  readonly audit: AuditLog;
  readonly newId: NewId;
  readonly clock: Clock;
}

/** Milliseconds for which an answer of the register is good. */
const trust = 30 * 86_400_000;

const viewOf = ({ id, value }: Pick<Stored<Customer>, 'id' | 'value'>): CustomerView => ({ id, ...value });

/** Greece is EL in VAT numbers, and Northern Ireland XI. */
const countryOf = (vatId: string): string => ({ EL: 'GR', XI: 'GB' })[vatId.slice(0, 2)] ?? vatId.slice(0, 2);

const erased = {
  name: '(erased)',
  email: null,
  address: null,
  vatId: null,
  reference: null,
  evidence: null,
  paymentSources: [],
};

export const createCustomerService = (options: CustomerServiceOptions): CustomerService => {
  const { database, customers, subscriptions, settings, register, audit, newId, clock } = options;

  const find = async (tenant: string, id: string): Promise<Stored<Customer>> => {
    const stored = await customers.of(tenant).get(id);
    if (stored === undefined) throw notFound('customer');
    return stored;
  };

  const commit = (actor: Actor, id: string, action: string, work: (transaction: Transaction) => void) =>
    database.transaction(async (transaction) => {
      work(transaction);
      await audit.record(transaction, actor, {
        action: `billing.customer.${action}`,
        target: { type: 'billing-customer', id },
        outcome: 'success',
      });
    });

  const ask = async (tenant: string, vatId: string): Promise<VatEvidence> => {
    const { settings: own } = await settings.contextOf(tenant);
    const checkedAt = isoTime(clock.now());
    const unknown = { vatId, valid: false, consultation: null, checkedAt, source: 'unavailable' } as const;
    if (register === undefined) return unknown;
    try {
      return { vatId, checkedAt, source: 'vies', ...(await register.check(vatId, own.seller?.vatId)) };
    } catch (error) {
      if (!isOmniError(error, 'unavailable')) throw error;
      if (own.uncheckedVatId === 'refuse') {
        throw badField('body.vatId', 'The register does not answer, and the settings want it checked');
      }
      return unknown;
    }
  };

  /** What is known of their number; asked only where nothing good is known yet. */
  const evidenceOf = async (
    tenant: string,
    { kind, country, vatId }: Pick<Customer, 'kind' | 'country' | 'vatId'>,
    known: VatEvidence | null,
  ): Promise<VatEvidence | null> => {
    if (vatId === null) return null;
    if (countryOf(vatId) !== country) throw badField('body.vatId', 'The number is of another country');
    if (kind !== 'business' || !euCountries.has(country)) return null;
    const isGood =
      known?.vatId === vatId && known.source === 'vies' && Date.parse(known.checkedAt) + trust > clock.now();
    return isGood ? known : ask(tenant, vatId);
  };

  const write = async (actor: Actor, { id, revision }: Stored<Customer>, value: Customer, action: string) => {
    await commit(actor, id, action, (transaction) =>
      transaction.update(customers.of(actor.tenant), id, value, { revision }),
    );
    return viewOf({ id, value });
  };

  return {
    create: async (actor, input) => {
      const id = idsFor(actor, newId)('cus');
      const evidence = await evidenceOf(actor.tenant, input, null);
      const createdAt = isoTime(clock.now());
      const value: Customer = { ...input, evidence, firstSubscribedAt: null, erasedAt: null, createdAt };
      try {
        await commit(actor, id, 'created', (transaction) => transaction.create(customers.of(actor.tenant), id, value));
      } catch (error) {
        if (!isOmniError(error, 'already-exists')) throw error;
        return viewOf(await find(actor.tenant, id));
      }
      return viewOf({ id, value });
    },
    get: async ({ tenant }, id) => viewOf(await find(tenant, id)),
    list: async ({ tenant }, { limit, cursor }) => {
      const page = await customers.of(tenant).query({ limit, cursor });
      return { ...page, items: page.items.map(viewOf) };
    },
    change: async (actor, id, change) => {
      const stored = await find(actor.tenant, id);
      const { value } = stored;
      if (value.erasedAt !== null) throw new OmniError('precondition-failed', 'This customer was erased.');
      const next: Customer = {
        ...value,
        name: change.name ?? value.name,
        email: change.email === undefined ? value.email : change.email,
        address: change.address === undefined ? value.address : change.address,
        kind: change.kind ?? value.kind,
        country: change.country ?? value.country,
        isTaxExempt: change.isTaxExempt ?? value.isTaxExempt,
        vatId: change.vatId === undefined ? value.vatId : change.vatId,
        paymentSources: change.paymentSources ?? value.paymentSources,
        reference: change.reference === undefined ? value.reference : change.reference,
      };
      const evidence = await evidenceOf(actor.tenant, next, value.evidence);
      return write(actor, stored, { ...next, evidence }, 'changed');
    },
    checkVatId: async (actor, id) => {
      const stored = await find(actor.tenant, id);
      const { vatId } = stored.value;
      if (vatId === null) throw new OmniError('precondition-failed', 'This customer has no VAT number.');
      return write(actor, stored, { ...stored.value, evidence: await ask(actor.tenant, vatId) }, 'checked');
    },
    erase: async (actor, id) => {
      const stored = await find(actor.tenant, id);
      const where = [
        { field: 'customer', op: '==', value: id },
        { field: 'status', op: 'in', value: ['trialing', 'active', 'past-due', 'paused'] },
      ] as const;
      const { items } = await subscriptions.of(actor.tenant).query({ where, limit: 1 });
      if (items.length > 0) throw new OmniError('precondition-failed', 'End the customer’s subscriptions first.');
      const { value } = stored;
      return write(actor, stored, { ...value, ...erased, erasedAt: isoTime(clock.now()) }, 'erased');
    },
  };
};
