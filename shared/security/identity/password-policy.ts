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

export interface PasswordCheckOptions {
  /** How often a password is in public lists of stolen ones. They are not asked where it is absent. */
  readonly countBreaches?: (password: string) => Promise<number>;
}

/** What people put in the place of letters, where rules want digits and signs. */
const lookAlikes: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
};

/** The forms in which a password may be in a list: as it is, and without what is added to get past rules. */
const formsOf = (password: string): readonly string[] => {
  // What is longer is in no list, and is rated by its beginning alone.
  const plain = password.slice(0, maxRated).normalize('NFKC').toLowerCase();
  const head = plain.replace(/[\P{L}]+$/u, '');
  const core = head.replace(/^[\P{L}]+/u, '');
  const read = (text: string) => text.replaceAll(/[013457@$!]/g, (sign) => lookAlikes[sign] ?? sign);
  const half = plain.slice(0, plain.length / 2);
  return [plain, head, core, read(plain), read(core), ...(half + half === plain ? [half] : [])];
};

/** Letters. What is shorter may be part of anything. */
const minCore = 5;

const createCommon = async (): Promise<(password: string) => boolean> => {
  const common = await import('@zxcvbn-ts/language-common');
  const { dictionary } = common.dictionary === undefined ? common.default : common;
  const passwords = dictionary['passwords-common'];
  const list = new Set(Array.isArray(passwords) ? passwords.map(String) : Object.keys(passwords ?? {}));
  return (password) => formsOf(password).some((form) => form.length >= minCore && list.has(form));
};

const tooEasy = 'Is too easy to guess: take several words that do not belong together';

export const createPasswordCheck = ({ countBreaches }: PasswordCheckOptions = {}): CheckPassword => {
  let estimator: ReturnType<typeof createEstimator> | undefined;
  let common: ReturnType<typeof createCommon> | undefined;

  const problemWith = async (password: string, { minLength, minScore }: PasswordPolicy, known: readonly string[]) => {
    if ([...password].length < minLength) return `Must have at least ${minLength} characters`;
    common ??= createCommon();
    if ((await common)(password)) return 'Is one of the most common passwords, or one of them with something added';
    estimator ??= createEstimator();
    const parts = known.flatMap((text) => [text, ...text.split(/[^\p{L}\p{N}]+/u)]).filter((text) => text.length > 2);
    const { score } = (await estimator).check(password.slice(0, maxRated), parts);
    if (score < minScore) return tooEasy;
    const isStolen = ((await countBreaches?.(password)) ?? 0) > 0;
    return isStolen ? 'Is in a public list of stolen passwords: take another, here and wherever you use it' : undefined;
  };

  return async (password, policy, known) => {
    const message = await problemWith(password, policy, known);
    if (message === undefined) return;
    throw new OmniError('invalid-request', 'Some fields are not valid.', {
      issues: [{ path: 'body.password', message }],
    });
  };
};
