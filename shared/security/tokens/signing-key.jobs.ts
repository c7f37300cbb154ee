import { defineJob } from '../../events/define-job.ts';
import { defineSchedule } from '../../events/define-schedule.ts';
import type { SigningKeys } from './signing-keys.ts';

export interface SigningKeyJobServices {
  readonly signingKeys: Pick<SigningKeys, 'rotate'>;
}

/** Milliseconds for which a key signs. */
const signsFor = 30 * 24 * 3_600_000;

export const rotateKeysDaily = defineSchedule({ name: 'signing-key-rotation', cron: '17 3 * * *' });

/** Once a tick has made the next key, that key is young: the same tick again makes none. */
export const rotateSigningKey = defineJob({
  name: 'security.rotate-signing-key',
  on: [rotateKeysDaily.event],
  handle: async (_event, { commit }, { signingKeys }: SigningKeyJobServices) => {
    await signingKeys.rotate({ olderThan: signsFor });
    await commit(() => {});
  },
});
