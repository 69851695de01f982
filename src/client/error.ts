// What the client rejects with: the server's problem (RFC 9457), or why there was no answer.

import type { FieldError, ProblemCode } from '../problems.ts';

/**
 * `unreachable`: no connection, or it broke too often. `unexpected_answer`: not an answer of this server, perhaps a
 * proxy's. `signature_invalid`: a webhook that was not signed with the secret.
 */
export type ErrorCode = ProblemCode | 'unreachable' | 'unexpected_answer';

export interface ErrorFacts {
  readonly code: ErrorCode;
  /** HTTP status; 0 where there was no answer. */
  readonly status: number;
  /** What was wrong, what is allowed, what to do. */
  readonly detail: string;
  readonly errors?: readonly FieldError[] | undefined;
  /** Seconds, from `Retry-After`. */
  readonly retryAfter?: number | undefined;
  /** The server's name for the request, as its log has it. */
  readonly requestId?: string | undefined;
  readonly cause?: unknown;
}

/** Compare `code`, never text. */
export class MediamillError extends Error {
  override readonly name = 'MediamillError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly detail: string;
  readonly errors: readonly FieldError[];
  readonly retryAfter: number | undefined;
  readonly requestId: string | undefined;

  constructor({ code, status, detail, errors = [], retryAfter, requestId, cause }: ErrorFacts) {
    super(detail, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.errors = errors;
    this.retryAfter = retryAfter;
    this.requestId = requestId;
  }
}

/** Reads the answer's body. */
export async function errorOf(response: Response): Promise<MediamillError> {
  const text = await response.text().catch(() => '');
  const facts = {
    status: response.status,
    retryAfter: retryAfterOf(response),
    requestId: response.headers.get('x-request-id') ?? undefined,
  };
  if (response.headers.get('content-type')?.startsWith('application/problem+json') === true) {
    const problem = JSON.parse(text) as { code: ProblemCode; detail: string; errors?: FieldError[] };
    return new MediamillError({
      ...facts,
      code: problem.code,
      detail: problem.detail,
      errors: problem.errors,
    });
  }
  return new MediamillError({
    ...facts,
    code: 'unexpected_answer',
    detail: `The answer was ${response.status} ${response.statusText} and no problem document: ${text.slice(0, 200)}`,
  });
}

/** Seconds until the call may be tried again; either form of RFC 9110 §10.2.3. */
function retryAfterOf({ headers }: Response): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  if (/^\d+$/.test(value)) return Number(value);
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - Date.now()) / 1000);
}
