import { embeddedDatabase } from './embedded.ts';
import { storeContract } from './store.contract.ts';
import { transactionsContract } from './transactions.contract.ts';

storeContract('the embedded store', embeddedDatabase);
transactionsContract('the embedded store', embeddedDatabase);
