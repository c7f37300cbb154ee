import * as z from 'zod';
import { type ErrorCode, type FieldIssue, isOmniError, OmniError, type StepUp } from '../kernel/errors.ts';

/** The one table from error code to HTTP status and title. */
export const problems: Readonly<Record<ErrorCode, { readonly status: number; readonly title: string }>> = {
  'invalid-request': { status: 400, title: 'The request is not valid' },
  'malformed-json': { status: 400, title: 'The body is not JSON' },
  'invalid-cursor': { status: 400, title: 'The cursor is not valid' },
  'invalid-signature': { status: 400, title: 'The signature is not valid' },
  unauthenticated: { status: 401, title: 'A valid credential is needed' },
  'step-up-required': { status: 401, title: 'Proof of who you are is needed once more' },
  forbidden: { status: 403, title: 'The credential does not allow this' },
  'not-found': { status: 404, title: 'Not found' },
  shredded: { status: 410, title: 'It was destroyed for good' },
  'method-not-allowed': { status: 405, title: 'The method is not allowed here' },
  'already-exists': { status: 409, title: 'It exists already' },
  'revision-conflict': { status: 409, title: 'It was changed meanwhile' },
  'precondition-failed': { status: 412, title: 'A precondition does not hold' },
  'idempotency-in-flight': { status: 409, title: 'The first request with this key is still running' },
  'idempotency-mismatch': { status: 422, title: 'The idempotency key was used for another request' },
  'payload-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The media type is not supported' },
  'range-not-satisfiable': { status: 416, title: 'The range is outside the content' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  'stored-data-invalid': { status: 500, title: 'Stored data is not valid' },
  unavailable: { status: 503, title: 'Temporarily unavailable' },
  internal: { status: 500, title: 'Internal error' },
};

/** The body of every refusal: RFC 9457 with Omni's stable `code`. */
export const problemSchema = z
  .object({
    type: z
      .string()
      .meta({ description: 'A URI that names the kind of problem.', example: 'urn:omni:problem:not-found' }),
    title: z.string(),
    status: z.int(),
    code: z.string().meta({ description: 'Stable; made to be switched on.', example: 'not-found' }),
    detail: z.string().optional().meta({ description: 'What happened this time, for a person.' }),
    requestId: z.string().meta({ description: 'Names this request in the logs.' }),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .meta({ description: 'Every bad field: where it is and what is wrong with it.' }),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problemSchema>;

/** An error of any kind as the refusal that may be shown. What is not made to be shown becomes `internal`. */
export const asRefusal = (error: unknown): OmniError =>
  isOmniError(error) ? error : new OmniError('internal', '', { cause: error });

export const toProblem = (error: OmniError, requestId: string): Problem => {
  const { status, title } = problems[error.code];
  return {
    type: `urn:omni:problem:${error.code}`,
    title,
    status,
    code: error.code,
    // A server's fault is told to the log, not to the client.
    ...(status >= 500 || error.message === '' ? {} : { detail: error.message }),
    requestId,
    ...(error.issues.length === 0 ? {} : { errors: error.issues.map(({ path, message }) => ({ path, message })) }),
  };
};

/** RFC 9470, section 3. */
const stepUpChallenge = ({ acr, maxAge }: StepUp): string =>
  [
    'Bearer realm="omni"',
    'error="insufficient_user_authentication"',
    'error_description="A more recent or surer proof of who you are is needed"',
    `acr_values="${acr}"`,
    `max_age="${maxAge}"`,
  ].join(', ');

export const problemResponse = (error: OmniError, requestId: string): Response => {
  const problem = toProblem(error, requestId);
  const headers = new Headers({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' });
  if (error.code === 'unauthenticated') headers.set('www-authenticate', 'Bearer realm="omni"');
  if (error.stepUp !== undefined) headers.set('www-authenticate', stepUpChallenge(error.stepUp));
  const retryAfter = error.retryAfter ?? (error.code === 'unavailable' ? 1 : undefined);
  if (retryAfter !== undefined) headers.set('retry-after', String(Math.max(1, Math.ceil(retryAfter))));
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
};

const maxIssues = 100;

/** The bad fields of one part of a request (`body`, `query`, `path`). Values are never repeated: they may be secrets. */
export const fieldIssues = (part: string, error: z.ZodError): FieldIssue[] =>
  error.issues.slice(0, maxIssues).flatMap((issue): FieldIssue[] => {
    const at = [part, ...issue.path.map(String)].join('.');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys
        .slice(0, maxIssues)
        .map((key) => ({ path: `${at}.${key.slice(0, 100)}`, message: 'Unknown field' }));
    }
    return [{ path: at, message: issue.message }];
  });
