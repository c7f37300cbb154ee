import type { Cache } from '../../cache/cache.ts';
import type { MakeEvent } from '../../events/define-event.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Database } from '../../store/store.ts';
import type { KeyRings } from '../encryption/key-rings.ts';
import type { AuthSettingsService } from '../identity/auth-settings.service.ts';
import { userCollection } from '../identity/user.schema.ts';
import type { SecurityPolicyService } from '../policy/security-policy.service.ts';
import { attackWindowCollection, createAttackWindows } from './attack-window.ts';
import { createBlockService } from './block.service.ts';
import { createFailureCounts } from './failure-counts.ts';
import { guardCollection } from './guard.schema.ts';
import { incidentCollection } from './incident.schema.ts';
import { createIncidentService } from './incident.service.ts';
import { createIncidents } from './incidents.ts';
import type { FindPlace } from './ip-places.ts';
import { createKnownDevices } from './known-devices.ts';
import { createLinkBudget } from './link-budget.ts';
import { riskProfileCollection } from './profile.ts';
import { createResponses } from './responses.ts';
import { createRiskAssessor } from './risk.assessor.ts';
import { createRiskService } from './risk.service.ts';
import { createSignInGuard } from './sign-in-guard.ts';
import { threatRulesCollection } from './threat-rules.schema.ts';
import { createThreatRulesService } from './threat-rules.service.ts';

export interface ThreatDetectionOptions {
  readonly database: Database;
  readonly policy: Pick<SecurityPolicyService, 'of'>;
  readonly settings: Pick<AuthSettingsService, 'of'>;
  readonly keys: Pick<KeyRings, 'current'>;
  readonly findPlace: FindPlace;
  readonly cache: Cache;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
  readonly defaultAppUrl: string;
}

export const threatCollections = [
  guardCollection,
  attackWindowCollection,
  incidentCollection,
  riskProfileCollection,
  threatRulesCollection,
];

/** Milliseconds. Attacks are looked for in this hour and the one before. */
const windowLength = 3_600_000;

/** Everything that keeps attackers out, finds them and tells of them. */
export const createThreatDetection = (options: ThreatDetectionOptions) => {
  const { database, policy, settings, keys, findPlace, cache, makeEvent, clock, defaultAppUrl } = options;
  const guards = database.tenants(guardCollection);
  const incidents = database.tenants(incidentCollection);
  const profiles = database.tenants(riskProfileCollection);
  const users = database.tenants(userCollection);
  const windows = createAttackWindows({ windows: database.tenants(attackWindowCollection), length: windowLength });
  const threatRules = createThreatRulesService({
    database,
    rules: database.tenants(threatRulesCollection),
    cache,
    makeEvent,
    clock,
  });
  const count = createFailureCounts({ windows, keys, makeEvent, clock });
  return {
    guard: createSignInGuard({ guards, policy, count, clock }),
    linkBudget: createLinkBudget({ database, guards, clock }),
    knownDevices: createKnownDevices({ guards, clock }),
    risk: createRiskAssessor({ database, profiles, guards, policy, rules: threatRules, findPlace, makeEvent, clock }),
    riskProfiles: profiles,
    threatIncidents: incidents,
    attackWindows: windows,
    threatFindings: createIncidents({ incidents, guards, makeEvent, clock }),
    threatResponses: createResponses({ guards, users, settings, makeEvent, clock, defaultAppUrl }),
    threatRules,
    findPlace,
    incidentService: createIncidentService({ database, incidents, guards, makeEvent, clock }),
    blockService: createBlockService({ database, guards, users, makeEvent, clock }),
    riskService: createRiskService({ profiles, users, clock }),
  };
};
