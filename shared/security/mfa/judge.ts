import type { MakeEvent } from '../../events/define-event.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { sha256 } from '../../kernel/json.ts';
import type { Device } from '../identity/identity.events.ts';
import type { Writes } from '../identity/links.ts';
import type { PasswordHasher } from '../identity/password.ts';
import type { PasskeyService } from '../sessions/passkey.service.ts';
import type { Method } from '../sessions/session.schema.ts';
import type { FactorProof } from './challenge.schema.ts';
import type { FoundChallenge } from './challenges.ts';
import { backupCodeOf, isCode } from './codes.ts';
import { backupCodesLeft, type Factors } from './factor-book.ts';
import { backupCodeUsed } from './mfa.events.ts';
import type { MfaProfile } from './mfa.schema.ts';
import type { Notices } from './notices.ts';
import { stepOf } from './totp.ts';

/** A challenge and what its user has to answer it with. */
export interface Asked extends FoundChallenge {
  readonly factors: Factors;
}

/** What was right, and what its use leaves. */
export interface Judgement {
  readonly method: Method;
  readonly profile: MfaProfile;
  readonly also?: Writes;
}

/** Whether an answer is right; undefined where it is not. It stores nothing but a passkey's count. */
export type Judge = (asked: Asked, proof: FactorProof, device: Device) => Promise<Judgement | undefined>;

export interface JudgeOptions {
  readonly passkeys: Pick<PasskeyService, 'verify'>;
  readonly passwords: Pick<PasswordHasher, 'verify'>;
  readonly notices: Notices;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

export const createJudge = ({ passkeys, passwords, notices, makeEvent, clock }: JudgeOptions): Judge => {
  const byTotp = async ({ factors: { profile } }: Asked, code: string): Promise<Judgement | undefined> => {
    for (const totp of profile.totps) {
      const step = await stepOf(totp.secret, code, clock.now());
      if (step === undefined || step <= totp.lastStep) continue;
      const used = { ...totp, lastStep: step, lastUsedAt: isoTime(clock.now()) };
      const totps = profile.totps.map((one) => (one.id === totp.id ? used : one));
      return { method: 'otp', profile: { ...profile, totps } };
    }
    return undefined;
  };

  const bySentCode = ({ secret, challenge, factors: { profile } }: Asked, method: 'sms' | 'email', code: string) => {
    const sent = challenge.value.code;
    if (sent?.method !== method || !isCode(sent.hash, secret, code)) return undefined;
    const lastUsedAt = isoTime(clock.now());
    const { phone, mailbox } = profile;
    // A number that is gone, or is another since the code was sent, shows nothing any more.
    const { phone: asked, lastSentAt: sentAt = '' } = challenge.value;
    const isTheirs = asked !== undefined || (phone !== undefined && phone.confirmedAt <= sentAt);
    if (method === 'sms' && !isTheirs) return undefined;
    return method === 'sms'
      ? ({ method: 'sms', profile: phone ? { ...profile, phone: { ...phone, lastUsedAt } } : profile } as const)
      : ({ method: 'mail', profile: mailbox ? { ...profile, mailbox: { ...mailbox, lastUsedAt } } : profile } as const);
  };

  const byBackupCode = async (
    { tenant, user, factors: { profile } }: Asked,
    code: string,
    device: Device,
  ): Promise<Judgement | undefined> => {
    const { backupCodes } = profile;
    const nth = await backupCodeOf(passwords, backupCodes?.hashes ?? [], code);
    if (backupCodes === undefined || nth === undefined) return undefined;
    const hashes = backupCodes.hashes.map((hash, i) => (i === nth ? null : hash));
    const next: MfaProfile = { ...profile, backupCodes: { ...backupCodes, hashes } };
    const left = backupCodesLeft(next);
    const key = `${backupCodes.createdAt}:${nth}`;
    const mail = await notices.tell(tenant, user, { template: 'backup-code-used', left }, key);
    const event = makeEvent(backupCodeUsed, { tenant, subject: user.id, data: { user: user.id, device, left } });
    return {
      method: 'rcv',
      profile: next,
      also: (transaction) => {
        mail(transaction);
        transaction.emit(event);
      },
    };
  };

  const byPasskey = async (
    { tenant, challenge, factors: { passkeys: own, profile } }: Asked,
    response: Extract<FactorProof, { method: 'passkey' }>['response'],
  ): Promise<Judgement | undefined> => {
    const signed = challenge.value.passkey;
    const isOwn = own.some(({ id }) => id === sha256(response.id));
    const used = isOwn && signed !== undefined ? await passkeys.verify(tenant, signed, response) : undefined;
    return used === undefined ? undefined : { method: 'hwk', profile };
  };

  const byPassword = async ({ user, factors: { profile } }: Asked, password: string): Promise<Judgement | undefined> =>
    (await passwords.verify(user.value.passwordHash, password)) ? { method: 'pwd', profile } : undefined;

  return async (asked, proof, device) => {
    switch (proof.method) {
      case 'totp':
        return byTotp(asked, proof.code);
      case 'backup-code':
        return byBackupCode(asked, proof.code, device);
      case 'passkey':
        return byPasskey(asked, proof.response);
      case 'password':
        return byPassword(asked, proof.password);
      default:
        return bySentCode(asked, proof.method, proof.code);
    }
  };
};
