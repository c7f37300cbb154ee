import * as z from 'zod';
import { OmniError } from '../../kernel/errors.ts';

export const passwordPolicySchema = z.strictObject({
  /** Characters (OWASP ASVS 5, 6.2.1: at least 8). */
  minLength: z.int().min(8).max(64).default(10),
  /** zxcvbn's score: 0 (guessed at once) to 4 (10^10 guesses and more). */
  minScore: z.int().min(2).max(4).default(3),
});
export type PasswordPolicy = z.infer<typeof passwordPolicySchema>;

/** Characters that zxcvbn looks at: its time grows faster than the length, and what is longer is strong or repeats. */
const maxRated = 72;

const createEstimator = async () => {
  const [core, common] = await Promise.all([import('@zxcvbn-ts/core'), import('@zxcvbn-ts/language-common')]);
  const { ZxcvbnFactory } = core.ZxcvbnFactory === undefined ? core.default : core;
  const { dictionary, adjacencyGraphs } = common.dictionary === undefined ? common.default : common;
  return new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs, maxLength: maxRated });
};

/** Throws `invalid-request` with what is wrong with a new password. `known` is what an attacker knows of its owner. */
export type CheckPassword = (password: string, policy: PasswordPolicy, known: readonly string[]) => Promise<void>;

export const createPasswordCheck = (): CheckPassword => {
  let estimator: ReturnType<typeof createEstimator> | undefined;

  const problemWith = async (password: string, { minLength, minScore }: PasswordPolicy, known: readonly string[]) => {
    if ([...password].length < minLength) return `Must have at least ${minLength} characters`;
    estimator ??= createEstimator();
    const parts = known.flatMap((text) => [text, ...text.split(/[^\p{L}\p{N}]+/u)]).filter((text) => text.length > 2);
    const { score } = (await estimator).check(password.slice(0, maxRated), parts);
    return score < minScore ? 'Is too easy to guess: take several words that do not belong together' : undefined;
  };

  return async (password, policy, known) => {
    const message = await problemWith(password, policy, known);
    if (message === undefined) return;
    throw new OmniError('invalid-request', 'Some fields are not valid.', {
      issues: [{ path: 'body.password', message }],
    });
  };
};
