import { defineEraser } from '../erasure/index.ts';
import { closeAccounts } from './closed-account.schema.ts';
import { accountCollection, intakeCollection } from './intake.schema.ts';

/** What providers sent, and which of their accounts are the tenant's. That there were such accounts is kept for a while. */
export const webhooksEraser = defineEraser({
  domain: 'webhooks',
  collections: [intakeCollection, accountCollection],
  leaving: { [accountCollection.name]: ({ database, clock }, ids) => closeAccounts(database, ids, clock.now()) },
});
