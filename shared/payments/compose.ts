import type { MakeEvent } from '../events/define-event.ts';
import type { Clock } from '../kernel/clock.ts';
import type { NewId } from '../kernel/ids.ts';
import type { AuditLog } from '../security/index.ts';
import type { Database } from '../store/store.ts';
import type { Logger } from '../telemetry/index.ts';
import { accountIndexCollection, gatewayAccountCollection } from './accounts/gateway-account.schema.ts';
import {
  createGatewayAccounts,
  type GatewayAccountOptions,
  type OpenGateway,
} from './accounts/gateway-account.service.ts';
import { disputeCollection } from './disputes/dispute.schema.ts';
import { createDisputeService } from './disputes/dispute.service.ts';
import { createLedgerHolds } from './ledger/holds.ts';
import {
  ledgerAccountCollection,
  ledgerBalanceCollection,
  ledgerEntryCollection,
  ledgerHoldCollection,
  ledgerHoldWatchCollection,
} from './ledger/ledger.schema.ts';
import { createLedger } from './ledger/ledger.service.ts';
import { createBalances } from './payments/balances.ts';
import { createPaymentDriver } from './payments/payment.driver.ts';
import {
  openAt,
  parkedPaymentCollection,
  paymentCollection,
  paymentWatchCollection,
  watchedAt,
} from './payments/payment.schema.ts';
import { createPaymentService } from './payments/payment.service.ts';
import { createPaymentSync } from './payments/payment.sync.ts';
import { createPayPalOrders } from './paypal/paypal-orders.service.ts';
import { routingRuleCollection } from './routing/routing-rule.schema.ts';
import { createRoutingRules } from './routing/routing-rule.service.ts';
import { bookedByStripe } from './stripe/stripe-booked.ts';
import { stripePaymentCollection } from './stripe/stripe-payment.schema.ts';

export interface PaymentsOptions {
  readonly database: Database;
  readonly openGateway: OpenGateway;
  readonly isSandbox: GatewayAccountOptions['isSandbox'];
  readonly claim: GatewayAccountOptions['claim'];
  readonly audit: Pick<AuditLog, 'record'>;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
  readonly clock: Clock;
  readonly logger: Logger;
}

export const paymentCollections = [
  gatewayAccountCollection,
  accountIndexCollection,
  routingRuleCollection,
  paymentCollection,
  paymentWatchCollection,
  parkedPaymentCollection,
  disputeCollection,
  ledgerAccountCollection,
  ledgerEntryCollection,
  ledgerBalanceCollection,
  ledgerHoldCollection,
  ledgerHoldWatchCollection,
];

/** Everything that takes payments and keeps the books of them, with what the jobs need. */
export const createPayments = (options: PaymentsOptions) => {
  const { database, clock } = options;
  const payments = database.tenants(paymentCollection);
  const watches = database.platform(paymentWatchCollection);
  const parked = database.tenants(parkedPaymentCollection);
  const disputes = database.tenants(disputeCollection);
  const accountIndex = database.platform(accountIndexCollection);
  const balances = database.tenants(ledgerBalanceCollection);
  const holdWatches = database.platform(ledgerHoldWatchCollection);
  const holds = database.tenants(ledgerHoldCollection);
  const ledger = createLedger({
    database,
    accounts: database.tenants(ledgerAccountCollection),
    entries: database.tenants(ledgerEntryCollection),
    balances,
    audit: options.audit,
    clock,
  });
  const gatewayAccounts = createGatewayAccounts({
    ...options,
    accounts: database.tenants(gatewayAccountCollection),
    index: accountIndex,
    open: async (tenant, account) => {
      const [open, watched] = await Promise.all([
        payments.of(tenant).aggregate({ where: openAt(account) }),
        watches.aggregate({ where: watchedAt(tenant, account) }),
      ]);
      return { payments: open.count, refunds: watched.count - open.count };
    },
  });
  const routingRules = createRoutingRules({ ...options, rules: database.tenants(routingRuleCollection) });
  const bookedBesides = bookedByStripe(database.tenants(stripePaymentCollection));
  const sync = createPaymentSync({ ...options, payments, watches, disputes, accounts: gatewayAccounts, ledger });
  const driver = createPaymentDriver({ database, payments, accounts: gatewayAccounts, sync, clock });
  const paymentService = createPaymentService({
    ...options,
    payments,
    watches,
    parked,
    bookedBesides,
    accounts: gatewayAccounts,
    rules: routingRules,
    driver,
    sync,
  });
  return {
    database,
    payments,
    watches,
    parked,
    accountIndex,
    ledger,
    holdWatches,
    holds: createLedgerHolds({ database, ledger, holds, watches: holdWatches, balances, clock }),
    balances: createBalances({ payments, bookedBesides, accounts: gatewayAccounts, ledger, clock }),
    gatewayAccounts,
    routingRules,
    sync,
    paymentService,
    disputeService: createDisputeService(disputes),
    paypalOrders: createPayPalOrders({ payments, paymentService }),
    makeEvent: options.makeEvent,
    clock,
    logger: options.logger,
  };
};
export type Payments = ReturnType<typeof createPayments>;
