import { defineEraser } from '../erasure/index.ts';
import { accountCollection, intakeCollection } from './intake.schema.ts';

/** What providers sent, and which of their accounts are the tenant's. */
export const webhooksEraser = defineEraser({ domain: 'webhooks', collections: [intakeCollection, accountCollection] });
