import * as z from 'zod';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import { OmniError } from '#shared/kernel/errors.ts';
import {
  auditEntryViewSchema,
  auditExportViewSchema,
  auditVerificationSchema,
  securityPolicySchema,
  securityPolicyViewSchema,
} from '#shared/security/index.ts';
import type { SecurityServices } from '../services.ts';

const audit = '/api/v1/security/audit';
const policy = '/api/v1/security/policy';
const read = { scopes: ['security:read'] };
const write = { scopes: ['security:write'] };

const name = z.string().min(1).max(300);
const onlyAfter = { description: 'Only what comes after this segment.' };

const list = endpoint({
  method: 'get',
  path: audit,
  summary: 'Search the audit log',
  description: 'The newest first. Filters hold together.',
  access: read,
  query: pageQuery.extend({
    actor: name.optional().meta({ description: 'Id of a user or key, or `unknown`: who failed a sign-in.' }),
    action: name.optional().meta({ examples: ['security.policy.updated'] }),
    target: name.optional().meta({ description: 'Id of what it was done to.' }),
    from: z.iso.datetime({ precision: 3 }).optional().meta({ description: 'Included.' }),
    to: z.iso.datetime({ precision: 3 }).optional().meta({ description: 'Not included.' }),
  }),
  status: 200,
  response: pageSchema(auditEntryViewSchema),
  errors: ['invalid-cursor'],
});

const verify = endpoint({
  method: 'get',
  path: `${audit}/verify`,
  summary: 'Verify the audit log',
  description:
    'Recomputes every hash of about 2,000 entries and compares the roots that were kept of past days. Repeat with ' +
    '`after` = `next` until that is null. Names the first entry that was changed, deleted, put in or moved.',
  access: read,
  query: z.strictObject({ after: z.coerce.number().int().min(0).default(0).meta(onlyAfter) }),
  status: 200,
  response: auditVerificationSchema,
});

const startExport = endpoint({
  method: 'post',
  path: `${audit}/exports`,
  summary: 'Export the audit log',
  description: 'As files of JSON lines, which are written in the background. Personal data stays encrypted in them.',
  access: { ...write, stepUp: sensitive },
  body: z.strictObject({ after: z.int().min(0).default(0).meta(onlyAfter) }),
  status: 202,
  response: auditExportViewSchema,
});

const getExport = endpoint({
  method: 'get',
  path: `${audit}/exports/{id}`,
  summary: 'Get an export of the audit log',
  access: read,
  params: idParams,
  status: 200,
  response: auditExportViewSchema,
  errors: ['not-found'],
});

const getEntry = endpoint({
  method: 'get',
  path: `${audit}/entries/{id}`,
  summary: 'Get an audit entry',
  access: read,
  params: idParams,
  status: 200,
  response: auditEntryViewSchema,
  errors: ['not-found'],
});

const getPolicy = endpoint({
  method: 'get',
  path: policy,
  summary: 'Get the security policy',
  access: read,
  status: 200,
  response: securityPolicyViewSchema,
});

const putPolicy = endpoint({
  method: 'put',
  path: policy,
  summary: 'Set the security policy',
  description:
    'Replaces all; what is left out gets its default. `If-Match` must be the `revision` that the change was made on, ' +
    'in quotes: `"3"`, or `"0"` while the defaults hold. An allow-list without the address from which you call is ' +
    'refused unless `force=true`. Holds everywhere within 30 seconds.',
  access: { ...write, stepUp: sensitive },
  query: z.strictObject({ force: z.enum(['true', 'false']).default('false') }),
  body: securityPolicySchema,
  status: 200,
  response: securityPolicyViewSchema,
  errors: ['precondition-failed'],
});

const expectedRevision = (header: string | undefined): number => {
  const [, revision] = /^"(\d{1,9})"$/.exec(header ?? '') ?? [];
  if (revision !== undefined) return Number(revision);
  throw new OmniError('invalid-request', 'Some fields are not valid.', {
    issues: [{ path: 'header.if-match', message: 'Must be the revision that is changed, in quotes' }],
  });
};

export const security = ({
  auditService,
  policyService,
  sessions,
}: Pick<SecurityServices, 'auditService' | 'policyService' | 'sessions'>): Route[] => [
  handle(list, ({ actor, query }) => auditService.list(actor, query)),
  handle(verify, ({ actor, query }) => auditService.verify(actor, query.after)),
  handle(startExport, ({ actor, body }) => auditService.startExport(actor, body.after)),
  handle(getExport, ({ actor, params }) => auditService.getExport(actor, params.id)),
  handle(getEntry, ({ actor, params }) => auditService.get(actor, params.id)),
  handle(getPolicy, ({ actor }) => policyService.get(actor)),
  handle(putPolicy, async ({ actor, query, body, c }) => {
    await sessions.requireLive(actor);
    return policyService.update(actor, {
      policy: body,
      expected: expectedRevision(c.req.header('if-match')),
      address: c.get('address'),
      force: query.force === 'true',
    });
  }),
];
