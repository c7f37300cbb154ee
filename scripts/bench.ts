import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { billing } from './bench/billing.ts';
import { coldStart } from './bench/cold-start.ts';
import { eventToJob } from './bench/events.ts';
import { openGround } from './bench/ground.ts';
import { webhookIntake } from './bench/intake.ts';
import { ledgerPostings } from './bench/ledger.ts';
import { hotPathLine, page, rowTable } from './bench/report.ts';
import { passwordSignIns } from './bench/sign-in.ts';
import { tokenVerification } from './bench/tokens.ts';
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
  // First, since it is measured in this process, which the other rows leave with a large heap.
  step('Token verification');
  const { row: tokens, hotPath } = await tokenVerification(ground);
  step('Cold start');
  const cold = await coldStart(ground);
  step('Warm requests');
  const warm = await warmRequests(ground);
  step('Webhook intake');
  const intake = await webhookIntake(ground);
  step('Event to job');
  const job = await eventToJob(ground);
  step('Password sign-ins');
  const signIns = await passwordSignIns(ground);
  step('Ledger postings');
  const postings = await ledgerPostings(ground);
  step('Billing');
  const bills = await billing(ground);
  step('Profile');
  const profile = await profileValidation(ground);
  const rows = [cold, ...warm, intake, job, signIns, tokens, postings, ...bills];
  await writeFile(join(root, 'docs/bench.md'), page(rows, profile, hotPath));
  step('Written to docs/bench.md');
  console.log(`\n${rowTable(rows)}\n`);
  console.log(hotPathLine(hotPath));
  console.log(`Schema building under load: ${(profile.schemaBuilding * 100).toFixed(1)} % of the busy time.`);
} finally {
  await ground.close();
}
