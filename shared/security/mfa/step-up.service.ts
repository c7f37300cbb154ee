import type { Actor } from '../../kernel/actor.ts';
import type { Device } from '../identity/identity.events.ts';
import { acrOf } from '../sessions/session.rules.ts';
import type { Sessions } from '../sessions/session.service.ts';
import type { SecondFactorChallenge } from '../sessions/sign-in.service.ts';
import type { IssuedToken } from '../tokens/access-tokens.ts';
import type { Answers } from './answers.ts';
import type { FactorProof } from './challenge.schema.ts';
import type { Challenges } from './challenges.ts';
import type { FactorBook } from './factor-book.ts';

export interface StepUpService {
  /** Asks for a second factor, or for the password where there is none. */
  begin(actor: Actor): Promise<SecondFactorChallenge>;
  /** A new access token of the same session. Fails with `invalid-request` for a wrong answer. */
  verify(actor: Actor, token: string, proof: FactorProof, device: Device): Promise<IssuedToken>;
  /**
   * Makes what a session has proved so far count no more for sensitive calls, within 30 seconds. For whoever has found
   * it suspicious.
   */
  require(tenant: string, session: string): Promise<void>;
}

export interface StepUpServiceOptions {
  readonly sessions: Pick<Sessions, 'current' | 'raise' | 'demandStepUp'>;
  readonly challenges: Pick<Challenges, 'create'>;
  readonly answers: Pick<Answers, 'take'>;
  readonly book: Pick<FactorBook, 'standingOf'>;
}

export const createStepUpService = ({ sessions, challenges, answers, book }: StepUpServiceOptions): StepUpService => ({
  begin: async (actor) => {
    const { session, user } = await sessions.current(actor);
    const { enrolled, usable } = await book.standingOf(actor.tenant, user, session.value.methods);
    const password = user.value.passwordHash === undefined ? [] : (['password'] as const);
    const { token, methods, expiresAt } = await challenges.create(actor.tenant, {
      purpose: 'step-up',
      user: user.id,
      epoch: user.value.epoch,
      session: session.id,
      shown: session.value.methods,
      methods: enrolled ? [...usable] : [...password],
    });
    return { challenge: token, methods, enrolment: false, expiresAt };
  },
  verify: (actor, token, proof, device) =>
    answers.take(
      { token, purposes: ['step-up'], session: actor.session, device },
      proof,
      async (_asked, { method, write }) => {
        // Read anew for each try: a refresh may have changed it meanwhile.
        const current = await sessions.current(actor);
        const methods = [...current.session.value.methods, method];
        const secondFactor = method !== 'pwd' || acrOf(methods) === 'aal2';
        return sessions.raise(actor, current, { methods: [method], secondFactor }, write);
      },
    ),
  require: (tenant, session) => sessions.demandStepUp(tenant, session),
});
