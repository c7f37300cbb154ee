import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { coldStart } from './bench/cold-start.ts';
import { eventToJob } from './bench/events.ts';
import { openGround } from './bench/ground.ts';
import { webhookIntake } from './bench/intake.ts';
import { ledgerPostings } from './bench/ledger.ts';
import { page, rowTable } from './bench/report.ts';
import { profileValidation } from './bench/validation.ts';
import { warmRequests } from './bench/warm.ts';
import { root } from './lib/functions.ts';

const started = performance.now();
const step = (text: string): void => {
  console.log(`${((performance.now() - started) / 1_000).toFixed(0).padStart(4)} s  ${text}`);
};

step('Building the functions, starting the emulators');
const ground = await openGround();
try {
  step('Cold start');
  const cold = await coldStart(ground);
  step('Warm requests');
  const warm = await warmRequests(ground);
  step('Webhook intake');
  const intake = await webhookIntake(ground);
  step('Event to job');
  const job = await eventToJob(ground);
  step('Ledger postings');
  const postings = await ledgerPostings(ground);
  step('Profile');
  const profile = await profileValidation(ground);
  const rows = [cold, ...warm, intake, job, postings];
  await writeFile(join(root, 'docs/bench.md'), page(rows, profile));
  step('Written to docs/bench.md');
  console.log(`\n${rowTable(rows)}\n`);
  console.log(`Schema building under load: ${(profile.schemaBuilding * 100).toFixed(1)} % of the busy time.`);
} finally {
  await ground.close();
}
