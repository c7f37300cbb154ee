import * as z from 'zod';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import {
  incidentChangeSchema,
  incidentKindSchema,
  incidentStatusSchema,
  incidentSummarySchema,
  incidentViewSchema,
  severitySchema,
  userRiskSchema,
} from '#shared/security/index.ts';
import type { SecurityServices } from '../services.ts';

const path = '/api/v1/threat-detection';
const read = { scopes: ['threats:read'] };
const write = { scopes: ['threats:write'], stepUp: sensitive };
const name = z.string().min(1).max(300);

const list = endpoint({
  method: 'get',
  path: `${path}/incidents`,
  summary: 'List incidents',
  description: 'The newest first. Filters hold together.',
  access: read,
  query: pageQuery.extend({
    kind: incidentKindSchema.optional(),
    status: incidentStatusSchema.optional(),
    severity: severitySchema.optional(),
    subject: name.optional().meta({ description: 'Such as a network.', examples: ['203.0.113.0/24'] }),
    user: name.optional().meta({ description: 'Id of the user whose account it is about.' }),
  }),
  status: 200,
  response: pageSchema(incidentSummarySchema),
  errors: ['invalid-cursor'],
});

const get = endpoint({
  method: 'get',
  path: `${path}/incidents/{id}`,
  summary: 'Get an incident with its timeline',
  access: read,
  params: idParams,
  status: 200,
  response: incidentViewSchema,
  errors: ['not-found'],
});

const update = endpoint({
  method: 'patch',
  path: `${path}/incidents/{id}`,
  summary: 'Handle an incident',
  description: 'Sets its status or who looks after it, or adds a note. Each is an entry of its timeline.',
  access: write,
  params: idParams,
  body: incidentChangeSchema,
  status: 200,
  response: incidentViewSchema,
  errors: ['not-found', 'revision-conflict'],
});

const risk = endpoint({
  method: 'get',
  path: `${path}/users/{id}/risk`,
  summary: 'Get the risk of a user',
  description: 'What was unusual about their sign-ins, and what is usual.',
  access: read,
  params: idParams,
  status: 200,
  response: userRiskSchema,
  errors: ['not-found'],
});

export const threatDetection = ({
  incidentService,
  riskService,
  sessions,
}: Pick<SecurityServices, 'incidentService' | 'riskService' | 'sessions'>): Route[] => [
  handle(list, ({ actor, query }) => incidentService.list(actor, query)),
  handle(get, ({ actor, params }) => incidentService.get(actor, params.id)),
  handle(update, async ({ actor, params, body }) => {
    await sessions.requireLive(actor);
    return incidentService.update(actor, params.id, body);
  }),
  handle(risk, ({ actor, params }) => riskService.ofUser(actor, params.id)),
];
