import type { MakeEvent } from '../../events/define-event.ts';
import { OmniError } from '../../kernel/errors.ts';
import { sha256 } from '../../kernel/json.ts';
import type { Database, Stored } from '../../store/store.ts';
import type { SignInAttempt, SignInGuard } from '../sessions/sign-in.service.ts';
import { type Origin, passwordRefused } from './identity.events.ts';
import type { PasswordHasher } from './password.ts';
import type { User } from './user.schema.ts';

/**
 * Asks somebody who is signed in for the password: who sits at an open browser is not always its owner. An account
 * without a password has nothing to ask for. Guesses have the attempts that sign-ins have, no more beside them. Fails
 * with `forbidden` for a wrong password, `rate-limited` for one try too many.
 */
export type RequirePassword = (
  tenant: string,
  user: Stored<User>,
  password: string | undefined,
  device: Origin,
) => Promise<void>;

export interface PasswordProofOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly passwords: Pick<PasswordHasher, 'verify'>;
  readonly guard: Pick<SignInGuard, 'admit' | 'failure' | 'passed'>;
  readonly makeEvent: MakeEvent;
}

export const passwordProof = ({ database, passwords, guard, makeEvent }: PasswordProofOptions): RequirePassword => {
  const refuse = async (attempt: SignInAttempt, user: string, password: string | undefined): Promise<never> => {
    const { tenant, device } = attempt;
    const counted = await guard.failure(attempt, { user, password });
    const event = makeEvent(passwordRefused, { tenant, subject: user, data: { user, device } });
    await database.transaction((transaction) => {
      transaction.emit(event);
      counted(transaction);
    });
    throw new OmniError('forbidden', 'The current password is not right.');
  };

  return async (tenant, user, password, device) => {
    const { email, passwordHash } = user.value;
    if (passwordHash === undefined) return;
    const attempt: SignInAttempt = { tenant, account: sha256(email), method: 'pwd', device };
    const admission = await guard.admit(attempt);
    if (!(await passwords.verify(passwordHash, password ?? ''))) return refuse(attempt, user.id, password);
    const isKnownDevice = admission?.device?.account === attempt.account;
    await database.transaction(guard.passed({ tenant, user, device }, isKnownDevice));
  };
};
