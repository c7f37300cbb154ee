import { defineJob } from '../../events/define-job.ts';
import type { TenantStore } from '../../store/store.ts';
import { predictionMade } from './prediction.events.ts';
import { addToRollup, type RollupShard } from './prediction.rollup.ts';

export interface PredictionJobServices {
  readonly rollups: TenantStore<RollupShard>;
}

/** Counts each prediction into its day once, however often its event arrives. */
export const updateRollup = defineJob({
  name: 'ai.update-rollup',
  on: [predictionMade],
  handle: async ({ tenant, data }, { commit }, { rollups }: PredictionJobServices) => {
    await commit((transaction) => addToRollup(transaction, rollups.of(tenant), data));
  },
});
