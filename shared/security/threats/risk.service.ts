import * as z from 'zod';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { TenantStore } from '../../store/store.ts';
import type { User } from '../identity/user.schema.ts';
import { type Behaviour, emptyBehaviour, hoursOf, type RiskProfile } from './profile.ts';
import { signalSchema } from './risk.schema.ts';

export const userRiskSchema = z
  .object({
    user: z.string(),
    score: z.int().meta({ description: 'Of the last unusual sign-in, 0 to 100; half as much with every week since.' }),
    assessed: z
      .object({ at: z.iso.datetime(), score: z.int(), decision: z.string(), signals: z.array(signalSchema) })
      .nullable()
      .meta({ description: 'The last unusual sign-in, and what was unusual.' }),
    usual: z
      .object({
        places: z.array(z.object({ country: z.string(), city: z.string().optional(), lastAt: z.iso.datetime() })),
        devices: z.array(z.object({ userAgent: z.string(), lastAt: z.iso.datetime() })),
        hours: z
          .array(z.int())
          .readonly()
          .meta({ description: 'Sign-ins by hour of the day in UTC, of the latest 60.' }),
      })
      .nullable()
      .meta({ description: 'How they sign in. Null where that was destroyed when they were erased.' }),
  })
  .meta({ id: 'UserRisk' });
export type UserRisk = z.infer<typeof userRiskSchema>;

export interface RiskService {
  /** Fails with `not-found`. */
  ofUser(actor: Actor, user: string): Promise<UserRisk>;
}

export interface RiskServiceOptions {
  readonly profiles: TenantStore<RiskProfile>;
  readonly users: TenantStore<User>;
  readonly clock: Clock;
}

const week = 7 * 86_400_000;

const usualOf = (behaviour: Behaviour): NonNullable<UserRisk['usual']> => ({
  places: behaviour.places.map(({ country, city, at }) => ({
    country,
    lastAt: isoTime(at),
    ...(city === undefined ? {} : { city }),
  })),
  devices: behaviour.devices.map(({ userAgent, at }) => ({ userAgent, lastAt: isoTime(at) })),
  hours: hoursOf(behaviour),
});

export const createRiskService = ({ profiles, users, clock }: RiskServiceOptions): RiskService => ({
  ofUser: async ({ tenant }, id) => {
    const [user, profile] = await Promise.all([users.of(tenant).get(id), profiles.of(tenant).get(id)]);
    if (user === undefined) throw new OmniError('not-found', 'There is no such user.');
    const behaviour = profile?.value.behaviour ?? emptyBehaviour;
    const assessment = profile?.value.assessment;
    const last = assessment === undefined || 'shredded' in assessment ? undefined : assessment;
    const weeks = last === undefined ? 0 : Math.max(0, clock.now() - last.at) / week;
    return {
      user: id,
      score: Math.round((last?.score ?? 0) * 0.5 ** weeks),
      assessed:
        last === undefined
          ? null
          : { at: isoTime(last.at), score: last.score, decision: last.decision, signals: last.signals },
      usual: 'shredded' in behaviour ? null : usualOf(behaviour),
    };
  },
});
