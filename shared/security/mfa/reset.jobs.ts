import type { MakeEvent } from '../../events/define-event.ts';
import { defineJob } from '../../events/define-job.ts';
import { defineSchedule } from '../../events/define-schedule.ts';
import { resetDue } from './mfa.events.ts';
import type { FactorResets } from './reset.service.ts';

export interface FactorResetJobServices {
  readonly factorResets: Pick<FactorResets, 'due' | 'complete'>;
  readonly makeEvent: MakeEvent;
}

/** A reset takes place at most about this long after it is due: five minutes. */
export const factorResetSweep = defineSchedule({ name: 'factor-resets', cron: '*/5 * * * *' });

/** What one tick begins; what is left is the next one's. */
const perTick = 200;

export const startFactorResets = defineJob({
  name: 'security.start-factor-resets',
  on: [factorResetSweep.event],
  handle: async (_event, { commit }, { factorResets, makeEvent }: FactorResetJobServices) => {
    const due = await factorResets.due(perTick);
    await commit((transaction) => {
      for (const { tenant, reset } of due) {
        const event = makeEvent(resetDue, { id: `factor-reset:${reset}`, tenant, subject: reset, data: { reset } });
        transaction.emit(event);
      }
    });
  },
});

export const completeFactorReset = defineJob({
  name: 'security.complete-factor-reset',
  on: [resetDue],
  handle: async ({ tenant, data }, { commit }, { factorResets }: FactorResetJobServices) => {
    await commit(await factorResets.complete(tenant, data.reset));
  },
});
