import type { MakeEvent } from '../../events/define-event.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { TenantService } from '../../platform/index.ts';
import type { Database } from '../../store/store.ts';
import type { RoleService } from '../access/role.service.ts';
import type { AuthSettingsService } from '../identity/auth-settings.service.ts';
import type { PasswordHasher } from '../identity/password.ts';
import { userCollection } from '../identity/user.schema.ts';
import type { SecurityPolicyService } from '../policy/security-policy.service.ts';
import { passkeyCollection } from '../sessions/passkey.schema.ts';
import type { PasskeyService } from '../sessions/passkey.service.ts';
import type { Sessions } from '../sessions/session.service.ts';
import type { SignInGuard } from '../sessions/sign-in.service.ts';
import { createAnswers } from './answers.ts';
import { mfaChallengeCollection } from './challenge.schema.ts';
import { createChallengeService } from './challenge.service.ts';
import { createChallenges } from './challenges.ts';
import { createCodeSender } from './code-sender.ts';
import { createEnrolmentService } from './enrolment.service.ts';
import { createFactorService, passkeyChanges } from './factor.service.ts';
import { createFactorBook } from './factor-book.ts';
import { mfaProfileCollection } from './mfa.schema.ts';
import { createNotices } from './notices.ts';
import { factorResetCollection, factorResetTimerCollection } from './reset.schema.ts';
import { createFactorResets } from './reset.service.ts';
import { createSecondFactor } from './second-factor.ts';
import { sessionOpener } from './session-opener.ts';
import { createStepUpService } from './step-up.service.ts';
import { trustedDeviceCollection } from './trusted-device.schema.ts';
import { createTrustedDevices } from './trusted-device.service.ts';

export interface MfaOptions {
  readonly database: Database;
  readonly sessions: Sessions;
  readonly policy: Pick<SecurityPolicyService, 'of' | 'withSince'>;
  readonly settings: Pick<AuthSettingsService, 'of'>;
  readonly roles: Pick<RoleService, 'requireGrantable'>;
  readonly tenants: Pick<TenantService, 'get'>;
  readonly passwords: PasswordHasher;
  readonly guard: Pick<SignInGuard, 'check' | 'failure'>;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
  readonly clock: Clock;
  readonly defaultAppUrl: string;
}

export const mfaCollections = [
  mfaProfileCollection,
  mfaChallengeCollection,
  trustedDeviceCollection,
  factorResetCollection,
  factorResetTimerCollection,
];

/**
 * Second factors, in two steps: what sign-in asks (`secondFactor`, `passkeyChanges`), and then, with the passkeys that
 * themselves sign in, what takes the answers.
 */
export const createMfa = (options: MfaOptions) => {
  const { database } = options;
  const [users, passkeyStore] = [database.tenants(userCollection), database.tenants(passkeyCollection)];
  const notices = createNotices(options);
  const book = createFactorBook({
    ...options,
    profiles: database.tenants(mfaProfileCollection),
    passkeys: passkeyStore,
    notices,
  });
  const challenges = createChallenges({ ...options, challenges: database.tenants(mfaChallengeCollection), users });
  const trusted = createTrustedDevices({ ...options, devices: database.tenants(trustedDeviceCollection) });
  return {
    secondFactor: createSecondFactor({ ...options, book, challenges, trusted }),
    passkeyChanges: passkeyChanges(book),
    withPasskeys: (passkeys: PasskeyService) => {
      const answers = createAnswers({ ...options, challenges, book, passkeys, notices });
      const send = createCodeSender({ ...options, challenges, answers, book });
      const open = sessionOpener({ ...options, trusted });
      return {
        sendCode: send,
        mfaChallenges: createChallengeService({ ...options, challenges, answers, book, passkeys, open }),
        enrolments: createEnrolmentService({ ...options, challenges, answers, book, passkeys, open }),
        factors: createFactorService({ ...options, book, challenges, answers, send }),
        stepUp: createStepUpService({ ...options, challenges, answers, book }),
        trustedDevices: trusted,
        factorResets: createFactorResets({
          ...options,
          resets: database.tenants(factorResetCollection),
          timers: database.platform(factorResetTimerCollection),
          users,
          passkeys: passkeyStore,
          book,
          notices,
        }),
      };
    },
  };
};
