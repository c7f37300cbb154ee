import * as z from 'zod';
import type { Clock } from '../../kernel/clock.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { TenantService } from '../../platform/index.ts';
import type { Database } from '../../store/store.ts';
import type { Device } from '../identity/identity.events.ts';
import { ceremonySchema, type RegistrationResponse } from '../sessions/passkey.schema.ts';
import type { PasskeyService } from '../sessions/passkey.service.ts';
import { acrOf } from '../sessions/session.rules.ts';
import type { Answers } from './answers.ts';
import type { MfaSignIn } from './challenge.schema.ts';
import { type Challenges, challengeOver, notAsked } from './challenges.ts';
import { type FactorBook, methodsOf } from './factor-book.ts';
import type { Asked } from './judge.ts';
import { retried } from './retried.ts';
import type { OpenSession } from './session-opener.ts';
import { newTotpSecret, stepOf } from './totp.ts';

export const enrolmentSchema = z
  .discriminatedUnion('method', [
    z.object({ method: z.literal('totp'), secret: z.string(), uri: z.string() }).meta({ id: 'AuthenticatorToSetUp' }),
    z.object({ method: z.literal('passkey'), options: ceremonySchema.shape.options }).meta({ id: 'PasskeyToSetUp' }),
  ])
  .meta({ id: 'FactorToSetUp' });
export type Enrolment = z.infer<typeof enrolmentSchema>;

export type EnrolmentProof =
  | { readonly method: 'totp'; readonly name: string; readonly code: string }
  | { readonly method: 'passkey'; readonly name: string; readonly response: RegistrationResponse };

/** For who has no way in but by setting up a factor. Each call fails with `unauthenticated` once the challenge is over. */
export interface EnrolmentService {
  /** Begins it. Fails with `precondition-failed` for a method that is not asked for. */
  begin(token: string, method: 'totp' | 'passkey'): Promise<Enrolment>;
  /** Ends it, and opens the session. */
  confirm(token: string, proof: EnrolmentProof, device: Device): Promise<MfaSignIn>;
}

export interface EnrolmentServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly challenges: Challenges;
  readonly answers: Answers;
  readonly book: FactorBook;
  readonly passkeys: Pick<PasskeyService, 'creation' | 'made'>;
  readonly tenants: Pick<TenantService, 'get'>;
  readonly open: OpenSession;
  readonly newId: NewId;
  readonly clock: Clock;
}

/** Who has set up a factor meanwhile has to show that one. */
const requireNew = ({ factors, challenge }: Asked): void => {
  if (methodsOf(factors).length > 0 && acrOf(challenge.value.shown) === 'aal1') throw challengeOver();
};

export const createEnrolmentService = (options: EnrolmentServiceOptions): EnrolmentService => {
  const { database, challenges, answers, book, passkeys, tenants, open, newId, clock } = options;

  const ofEnrolment = (token: string, device: Device) => ({ token, purposes: ['enrolment'] as const, device });

  return {
    begin: (token, method) =>
      retried(async () => {
        const asked = await answers.find({ token, purposes: ['enrolment'] });
        const { tenant, user } = asked;
        if (!asked.challenge.value.methods.includes(method)) throw notAsked();
        if (method === 'passkey') {
          const { challenge, options } = await passkeys.creation(tenant, user);
          await database.transaction(challenges.change(asked, { passkey: challenge }));
          return { method, options };
        }
        const { name: issuer } = await tenants.get(tenant);
        const { secret, uri } = await newTotpSecret({ issuer, account: user.value.email });
        await database.transaction(challenges.change(asked, { totp: { secret } }));
        return { method, secret, uri };
      }),
    confirm: (token, proof, device) => {
      const request = { trustDevice: false, device };
      if (proof.method === 'passkey') {
        const { name, response } = proof;
        return answers.takeNew(
          ofEnrolment(token, device),
          async (asked) => {
            requireNew(asked);
            return asked.challenge.value.passkey !== undefined;
          },
          async (asked, spend) => {
            const about = { challenge: asked.challenge.value.passkey ?? '', name, response, device };
            const { write } = await passkeys.made(asked.tenant, asked.user, about);
            const { factors, tenant, user } = asked;
            return open(asked, 'hwk', request, (transaction) => {
              spend(transaction);
              write(transaction);
              // On the condition that they have set up nothing meanwhile.
              const next = { ...factors.profile, mustEnrol: false, passkeys: factors.passkeys.length + 1 };
              book.save(transaction, tenant, user.id, factors.stored, next);
            });
          },
        );
      }
      const { name, code } = proof;
      let lastStep: number | undefined;
      return answers.takeNew(
        ofEnrolment(token, device),
        async (asked) => {
          requireNew(asked);
          const { totp } = asked.challenge.value;
          lastStep = totp && (await stepOf(totp.secret, code, clock.now()));
          return lastStep !== undefined;
        },
        async (asked, spend) => {
          const { factors, tenant, user, challenge } = asked;
          const added = await book.withTotp(tenant, user, factors.profile, {
            id: newId('otp'),
            name,
            secret: challenge.value.totp?.secret ?? '',
            lastStep: lastStep ?? 0,
            device,
          });
          return open(asked, 'otp', request, (transaction) => {
            spend(transaction);
            book.save(transaction, tenant, user.id, factors.stored, added.profile);
            added.write(transaction);
          });
        },
      );
    },
  };
};
