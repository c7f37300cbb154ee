import type { MakeEvent } from '../../events/define-event.ts';
import type { Clock } from '../../kernel/clock.ts';
import { sha256 } from '../../kernel/json.ts';
import type { Database, TenantStore } from '../../store/store.ts';
import { deviceSchema } from '../identity/identity.events.ts';
import type { SecurityPolicyService } from '../policy/security-policy.service.ts';
import type { Admission, FirstFactor, RiskAssessor } from '../sessions/sign-in.service.ts';
import { type GuardRecord, guardId } from './guard.schema.ts';
import type { FindPlace } from './ip-places.ts';
import { deviceIdOf } from './known-devices.ts';
import { networkOf } from './networks.ts';
import { emptyBehaviour, type RiskProfile } from './profile.ts';
import { scoreOf } from './risk.schema.ts';
import { signalsOf } from './signals.ts';
import { signInAssessed } from './threat.events.ts';
import type { ThreatRulesService } from './threat-rules.service.ts';
import { decisionOf, judgeSignIn } from './threat-rules.ts';

export interface RiskAssessorOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly profiles: TenantStore<RiskProfile>;
  readonly guards: TenantStore<GuardRecord>;
  readonly policy: Pick<SecurityPolicyService, 'of'>;
  readonly rules: Pick<ThreatRulesService, 'of'>;
  readonly findPlace: FindPlace;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

/**
 * Judges a sign-in after its first factor and before its session. It reads the profile and, where no guard has, what the
 * account is held against; it writes only where something is unusual.
 */
export const createRiskAssessor = (options: RiskAssessorOptions): RiskAssessor => {
  const { database, profiles, guards, policy, rules, findPlace, makeEvent, clock } = options;

  const readGuards = async ({ tenant, user, device }: FirstFactor): Promise<Admission> => {
    const account = sha256(user.value.email);
    const id = deviceIdOf(device) ?? guardId.device('');
    const [attempts, block, known, ownAttempts] = await guards
      .of(tenant)
      .getMany([
        guardId.attempts(account, networkOf(device.ip)),
        guardId.block('account', account),
        id,
        guardId.deviceAttempts(id),
      ]);
    return {
      device: known?.value.kind === 'device' ? known.value : undefined,
      attempts: attempts?.value.kind === 'attempts' ? attempts.value.at : [],
      ownAttempts: ownAttempts?.value.kind === 'attempts' ? ownAttempts.value.at : [],
      block: block?.value.kind === 'block' ? block.value : undefined,
    };
  };

  const standingOf = async (first: FirstFactor) => {
    const { tenant, user } = first;
    const { device: known, attempts, ownAttempts, block } = first.admission ?? (await readGuards(first));
    const isKnownDevice = known?.user === user.id && known.account === sha256(user.value.email);
    const { windowMinutes } = (await policy.of(tenant)).lockout;
    const since = clock.now() - windowMinutes * 60_000;
    // What others fail at says nothing of who shows to be somebody else.
    const failures = (isKnownDevice ? ownAttempts : attempts).filter((at) => at > since).length;
    const isBlocked = block !== undefined && !(isKnownDevice && block.sparesKnownDevices);
    return { failures, isKnownDevice, isBlocked };
  };

  const prepare: RiskAssessor['prepare'] = (tenant, id) => {
    const reading = profiles.of(tenant).get(id);
    // It is told to who asks for it, if anybody does.
    reading.catch(() => undefined);
    return async (first) => {
      const { user, device, breached = false } = first;
      const [profile, found, place, { rules: all, thresholds }] = await Promise.all([
        reading,
        standingOf(first),
        findPlace(device.ip),
        rules.of(tenant),
      ]);
      const stored = profile?.value.behaviour;
      const behaviour = stored === undefined || 'shredded' in stored ? emptyBehaviour : stored;
      const signals = signalsOf(behaviour, { at: clock.now(), device, place, breached, ...found });
      const score = scoreOf(signals);
      const { matched, actions, blockMinutes } = judgeSignIn(all, signals);
      const decision = found.isBlocked ? 'block' : decisionOf(actions);
      if (matched.length > 0 || score >= thresholds.incidentScore) {
        const event = makeEvent(signInAssessed, {
          tenant,
          subject: user.id,
          data: {
            user: user.id,
            by: 'rules',
            byKind: 'system',
            score,
            signals: [...signals],
            rules: matched.map(({ rule, dryRun, actions: asked }) => ({ rule, dryRun, actions: [...asked] })),
            decision,
            device: deviceSchema.parse(device),
            ...(blockMinutes === 0 ? {} : { blockMinutes }),
          },
        });
        await database.transaction((transaction) => transaction.emit(event));
      }
      return { score, signals, decision, isKnownDevice: found.isKnownDevice };
    };
  };

  return { prepare, assess: (first) => prepare(first.tenant, first.user.id)(first) };
};
