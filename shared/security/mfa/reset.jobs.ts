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
  handle: async ({ time }, { commit }, { factorResets, makeEvent }: FactorResetJobServices) => {
    const due = await factorResets.due(perTick);
    await commit((transaction) => {
      for (const { tenant, reset } of due) {
        // Of this tick, so that one that failed is begun again by the next.
        const id = `factor-reset:${reset}:${time.slice(0, 16)}`;
        const event = makeEvent(resetDue, { id, tenant, subject: reset, data: { reset } });
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
