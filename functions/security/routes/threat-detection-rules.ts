import * as z from 'zod';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import { OmniError } from '#shared/kernel/errors.ts';
import {
  allowanceViewSchema,
  blockInputSchema,
  blockViewSchema,
  judgeSignIn,
  riskDecisionOf,
  riskScoreOf,
  signalKindSchema,
  threatRulesSchema,
  threatRulesViewSchema,
} from '#shared/security/index.ts';
import type { SecurityServices } from '../services.ts';

const path = '/api/v1/threat-detection';
const read = { scopes: ['threats:read'] };
const write = { scopes: ['threats:write'], stepUp: sensitive };

const listBlocks = endpoint({
  method: 'get',
  path: `${path}/blocks`,
  summary: 'List what is blocked',
  description: 'The newest first. What has ended is gone.',
  access: read,
  query: pageQuery,
  status: 200,
  response: pageSchema(blockViewSchema),
  errors: ['invalid-cursor'],
});

const setBlock = endpoint({
  method: 'post',
  path: `${path}/blocks`,
  summary: 'Block a network or an account',
  description:
    'Sign-ins are refused for the time being, in the same way as too many attempts. A block of the same target gets ' +
    'the new end and reason. Sessions that are open go on.',
  access: write,
  body: blockInputSchema,
  status: 201,
  response: blockViewSchema,
  errors: ['not-found', 'revision-conflict'],
});

const liftBlock = endpoint({
  method: 'delete',
  path: `${path}/blocks/{id}`,
  summary: 'Lift a block',
  access: write,
  params: idParams,
  status: 204,
  errors: ['not-found', 'revision-conflict'],
});

const listAllowances = endpoint({
  method: 'get',
  path: `${path}/allowances`,
  summary: 'List what is taken for harmless',
  description: 'Each comes from an incident that was a false positive, and lasts 30 days.',
  access: read,
  query: pageQuery,
  status: 200,
  response: pageSchema(allowanceViewSchema),
  errors: ['invalid-cursor'],
});

const liftAllowance = endpoint({
  method: 'delete',
  path: `${path}/allowances/{id}`,
  summary: 'Take nothing of the kind for harmless any more',
  access: write,
  params: idParams,
  status: 204,
  errors: ['not-found', 'revision-conflict'],
});

const getRules = endpoint({
  method: 'get',
  path: `${path}/rules`,
  summary: 'Get thresholds and rules',
  access: read,
  status: 200,
  response: threatRulesViewSchema,
});

const putRules = endpoint({
  method: 'put',
  path: `${path}/rules`,
  summary: 'Set thresholds and rules',
  description:
    'Replaces all; what is left out gets its default. `If-Match` must be the `revision` that the change was made on, ' +
    'in quotes: `"3"`, or `"0"` while the defaults hold. Holds everywhere within 30 seconds.',
  access: write,
  body: threatRulesSchema,
  status: 200,
  response: threatRulesViewSchema,
  errors: ['precondition-failed'],
});

const tryRules = endpoint({
  method: 'post',
  path: `${path}/rules/try`,
  summary: 'Ask what the rules would do about a sign-in',
  description: 'Changes nothing.',
  access: read,
  body: z
    .strictObject({
      signals: z.array(z.strictObject({ kind: signalKindSchema, weight: z.int().min(1).max(100) })).max(6),
    })
    .meta({ examples: [{ signals: [{ kind: 'new-device', weight: 20 }] }] }),
  status: 200,
  response: z.object({
    score: z.int(),
    decision: z.enum(['allow', 'step-up', 'challenge', 'block']),
    matched: z
      .array(z.object({ rule: z.string(), dryRun: z.boolean(), actions: z.array(z.string()).readonly() }))
      .readonly(),
  }),
});

const expectedRevision = (header: string | undefined): number => {
  const [, revision] = /^"(\d{1,9})"$/.exec(header ?? '') ?? [];
  if (revision !== undefined) return Number(revision);
  throw new OmniError('invalid-request', 'Some fields are not valid.', {
    issues: [{ path: 'header.if-match', message: 'Must be the revision that is changed, in quotes' }],
  });
};

export const threatDetectionRules = ({
  blockService,
  threatRules,
  sessions,
}: Pick<SecurityServices, 'blockService' | 'threatRules' | 'sessions'>): Route[] => [
  handle(listBlocks, ({ actor, query }) => blockService.list(actor, query)),
  handle(setBlock, async ({ actor, body }) => {
    await sessions.requireLive(actor);
    return blockService.set(actor, body);
  }),
  handle(liftBlock, async ({ actor, params }) => {
    await sessions.requireLive(actor);
    await blockService.lift(actor, params.id);
    return undefined;
  }),
  handle(listAllowances, ({ actor, query }) => blockService.listAllowances(actor, query)),
  handle(liftAllowance, async ({ actor, params }) => {
    await sessions.requireLive(actor);
    await blockService.liftAllowance(actor, params.id);
    return undefined;
  }),
  handle(getRules, ({ actor }) => threatRules.get(actor)),
  handle(putRules, async ({ actor, body, c }) => {
    await sessions.requireLive(actor);
    return threatRules.put(actor, body, expectedRevision(c.req.header('if-match')));
  }),
  handle(tryRules, async ({ actor, body }) => {
    const { rules } = await threatRules.of(actor.tenant);
    const signals = body.signals.map((signal) => ({ ...signal, reason: '' }));
    const { matched, actions } = judgeSignIn(rules, signals);
    return { score: riskScoreOf(signals), decision: riskDecisionOf(actions), matched };
  }),
];
