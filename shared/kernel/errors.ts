/**
 * Every way in which a call can be refused. The code is stable: clients switch on it. What status it has over HTTP is
 * the business of shared/http/problem.ts alone.
 */
export type ErrorCode =
  | 'invalid-request'
  | 'malformed-json'
  | 'invalid-cursor'
  | 'invalid-signature'
  | 'unauthenticated'
  | 'step-up-required'
  | 'forbidden'
  | 'not-found'
  | 'shredded'
  | 'method-not-allowed'
  | 'already-exists'
  | 'revision-conflict'
  | 'precondition-failed'
  | 'idempotency-in-flight'
  | 'idempotency-mismatch'
  | 'payload-too-large'
  | 'unsupported-media-type'
  | 'range-not-satisfiable'
  | 'rate-limited'
  | 'stored-data-invalid'
  | 'unavailable'
  | 'internal';

/** One bad field of a request: where it is (`body.customers.0.tenure`) and what is wrong with it. */
export interface FieldIssue {
  readonly path: string;
  readonly message: string;
}

export interface OmniErrorOptions extends ErrorOptions {
  readonly issues?: readonly FieldIssue[];
  /** Seconds after which the same call may succeed. */
  readonly retryAfter?: number;
  /** With `step-up-required`: what would do. */
  readonly stepUp?: StepUp;
}

/**
 * How surely somebody proved who they are, by the names of NIST SP 800-63B: one factor, or two (a passkey that has
 * verified its owner is two).
 */
export type Acr = 'aal1' | 'aal2';

/** What a sensitive call asks of a person who is signed in. */
export interface StepUp {
  /** Seconds since they last proved who they are. */
  readonly maxAge: number;
  /** `aal2` where the account has a second factor. */
  readonly acr: Acr;
}

/** The only class in the code base: a refusal that carries its stable code. The message is safe to show to a client. */
export class OmniError extends Error {
  override readonly name = 'OmniError';
  readonly code: ErrorCode;
  readonly issues: readonly FieldIssue[];
  readonly retryAfter: number | undefined;
  readonly stepUp: StepUp | undefined;

  constructor(code: ErrorCode, message: string, options: OmniErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.issues = options.issues ?? [];
    this.retryAfter = options.retryAfter;
    this.stepUp = options.stepUp;
  }
}

/** True when `error` is an OmniError, and has `code` where one is given. */
export const isOmniError = (error: unknown, code?: ErrorCode): error is OmniError =>
  error instanceof OmniError && (code === undefined || error.code === code);
