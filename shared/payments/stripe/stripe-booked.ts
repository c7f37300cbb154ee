import type { TenantStore } from '../../store/store.ts';
import type { GatewayName } from '../gateways/gateway.ts';
import type { StripePayment } from './stripe-payment.schema.ts';

/** Of payments at a gateway those that are kept and booked besides the payments domain, with the keys of their facts. */
export type BookedBesides = (
  tenant: string,
  gateway: GatewayName,
  references: readonly string[],
) => Promise<ReadonlyMap<string, ReadonlySet<string>>>;

/** What a tenant takes at Stripe itself, by invoices, checkouts and intents of its own. One read for all. */
export const bookedByStripe =
  (records: TenantStore<StripePayment>): BookedBesides =>
  async (tenant, gateway, references) => {
    if (gateway !== 'stripe' || references.length === 0) return new Map();
    const found = await records.of(tenant).getMany(references);
    return new Map(
      references.flatMap((reference, i) => {
        const record = found[i]?.value;
        return record === undefined ? [] : [[reference, new Set(record.booked)] as const];
      }),
    );
  };
