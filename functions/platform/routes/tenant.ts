import * as z from 'zod';
import { clientOf } from '#shared/http/client.ts';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { localeSchema } from '#shared/messaging/index.ts';
import {
  graceDays,
  plans,
  planViewSchema,
  quotaUsageSchema,
  slugSchema,
  tenantNameSchema,
  tenantPlanSchema,
  tenantSettingsInputSchema,
  tenantViewSchema,
} from '#shared/platform/index.ts';
import { emailSchema, passwordSchema, personNameSchema } from '#shared/security/index.ts';
import type { PlatformServices } from '../services.ts';

const path = '/api/v1/tenant';
/** Bytes: room for every field at its longest, and for no more. */
const maxBody = 16_384;
const own = { scopes: ['tenant:own'], person: true, stepUp: sensitive } as const;
const tenantParams = z.object({ tenant: z.string().min(1).max(64) });
const confirm = z.string().max(100).meta({ description: "The tenant's slug, so that nobody does it by mistake." });
const reason = z.string().trim().min(1).max(500).meta({ description: 'Why. It is kept with the tenant and shown.' });

const create = endpoint({
  method: 'post',
  path: `${path}/tenants`,
  summary: 'Make a tenant, and ask for its first account',
  description:
    'Sends a mail with a link that opens the account of the first owner (`POST /api/v1/auth/email/verify`). A tenant ' +
    'whose owner has not done so within 48 hours is erased. Ten a day from one network, three for one address.',
  access: 'public',
  confidential: true,
  maxBody,
  body: z
    .strictObject({
      slug: slugSchema,
      name: tenantNameSchema,
      email: emailSchema,
      password: passwordSchema.optional().meta({ description: 'Of the first owner; asked for again by the link.' }),
      ownerName: personNameSchema.optional(),
      locale: localeSchema.optional().meta({ description: 'Of the tenant and the mail (BCP 47).' }),
    })
    .meta({ examples: [{ slug: 'acme', name: 'Acme Ltd', email: 'ada@example.com' }] }),
  status: 201,
  response: tenantViewSchema,
  errors: ['already-exists', 'rate-limited', 'revision-conflict'],
});

const get = endpoint({
  method: 'get',
  path,
  summary: 'Get the tenant',
  access: { scopes: ['tenant:read'] },
  status: 200,
  response: tenantViewSchema,
});

const find = endpoint({
  method: 'get',
  path: `${path}/slugs/{slug}`,
  summary: 'Find a tenant by its slug',
  description: 'Also by one of the last three that it had; the answer has the one that it has now. For sign-in pages.',
  access: 'public',
  params: z.object({ slug: z.string().regex(/^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$/) }),
  status: 200,
  response: z.object({ id: z.string(), slug: z.string(), name: z.string() }),
  errors: ['not-found'],
});

const change = endpoint({
  method: 'patch',
  path,
  summary: "Change the tenant's name or settings",
  description: 'Settings are replaced whole. They hold everywhere within 30 seconds.',
  access: { scopes: ['tenant:write'], stepUp: sensitive },
  body: z
    .strictObject({ name: tenantNameSchema.optional(), settings: tenantSettingsInputSchema.optional() })
    .meta({ examples: [{ name: 'Acme Ltd' }] }),
  status: 200,
  response: tenantViewSchema,
  errors: ['precondition-failed', 'revision-conflict'],
});

const changeSlug = endpoint({
  method: 'put',
  path: `${path}/slug`,
  summary: "Change the tenant's slug",
  description: 'The three before it keep leading here. What is older becomes free for others.',
  access: { scopes: ['tenant:write'] },
  body: z.strictObject({ slug: slugSchema }),
  status: 200,
  response: tenantViewSchema,
  errors: ['already-exists', 'revision-conflict'],
});

const usage = endpoint({
  method: 'get',
  path: `${path}/usage`,
  summary: 'Get the limits of the plan and what is used',
  access: { scopes: ['tenant:read'] },
  status: 200,
  response: z.object({ items: z.array(quotaUsageSchema).readonly() }),
});

const listPlans = endpoint({
  method: 'get',
  path: `${path}/plans`,
  summary: 'List plans and what they bound',
  access: 'public',
  status: 200,
  response: z.object({ items: z.array(planViewSchema).readonly() }),
});

const suspend = endpoint({
  method: 'post',
  path: `${path}/suspension`,
  summary: 'Suspend the tenant',
  description:
    'All its credentials are refused within 30 seconds. All owners are mailed a link that takes it back. Meant for an ' +
    'incident: nothing is deleted.',
  access: own,
  confidential: true,
  maxBody,
  body: z.strictObject({ confirm, reason }),
  status: 200,
  response: tenantViewSchema,
  errors: ['precondition-failed', 'revision-conflict'],
});

const remove = endpoint({
  method: 'post',
  path: `${path}/deletion`,
  summary: 'Delete the tenant after a time of grace',
  description:
    'All its credentials are refused within 30 seconds. All owners are mailed at once, and again three days before the ' +
    'end, a link that takes it back. After the grace everything is erased for good.',
  access: own,
  confidential: true,
  maxBody,
  body: z.strictObject({
    confirm,
    graceDays: z
      .int()
      .min(graceDays.least)
      .max(graceDays.most)
      .default(graceDays.usual)
      .meta({ description: 'Days until everything is erased.' }),
  }),
  status: 200,
  response: tenantViewSchema,
  errors: ['precondition-failed', 'revision-conflict'],
});

const restore = endpoint({
  method: 'post',
  path: `${path}/restoration`,
  summary: "Take a suspension or deletion back by an owner's link",
  access: 'public',
  confidential: true,
  maxBody,
  body: z.strictObject({ token: z.string().min(1).max(200).meta({ description: 'From the link in the mail.' }) }),
  status: 200,
  response: tenantViewSchema,
  errors: ['unauthenticated', 'revision-conflict'],
});

const setPlan = endpoint({
  method: 'put',
  path: `${path}/tenants/{tenant}/plan`,
  summary: "Set a tenant's plan",
  access: 'internal',
  params: tenantParams,
  body: tenantPlanSchema,
  status: 200,
  response: tenantViewSchema,
});

const suspendByPlatform = endpoint({
  method: 'post',
  path: `${path}/tenants/{tenant}/suspension`,
  summary: 'Suspend any tenant',
  access: 'internal',
  params: tenantParams,
  body: z.strictObject({ reason }),
  status: 200,
  response: tenantViewSchema,
});

const restoreByPlatform = endpoint({
  method: 'post',
  path: `${path}/tenants/{tenant}/restoration`,
  summary: 'Take the suspension or deletion of any tenant back',
  access: 'internal',
  params: tenantParams,
  status: 200,
  response: tenantViewSchema,
});

export const tenant = ({
  tenantAdmin,
  tenantCreation,
  lifecycle,
  quotas,
}: Pick<PlatformServices, 'tenantAdmin' | 'tenantCreation' | 'lifecycle' | 'quotas'>): Route[] => [
  handle(create, ({ body, c }) => tenantCreation.create(body, clientOf(c).ip)),
  handle(get, ({ actor }) => tenantAdmin.get(actor)),
  handle(find, ({ params }) => tenantAdmin.find(params.slug)),
  handle(change, ({ actor, body }) => tenantAdmin.change(actor, body)),
  handle(changeSlug, ({ actor, body }) => tenantAdmin.changeSlug(actor, body.slug)),
  handle(usage, async ({ actor }) => ({ items: await quotas.usage(actor.tenant) })),
  handle(listPlans, () => ({ items: plans })),
  handle(suspend, ({ actor, body }) => lifecycle.suspend(actor, body)),
  handle(remove, ({ actor, body }) => lifecycle.requestDeletion(actor, body)),
  handle(restore, ({ body }) => lifecycle.restore(body.token)),
  handle(setPlan, ({ actor, params, body }) => tenantAdmin.setPlan(actor, params.tenant, body)),
  handle(suspendByPlatform, ({ actor, params, body }) =>
    lifecycle.suspendByPlatform(actor, params.tenant, body.reason),
  ),
  handle(restoreByPlatform, ({ actor, params }) => lifecycle.restoreByPlatform(actor, params.tenant)),
];
