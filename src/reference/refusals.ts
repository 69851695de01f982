// Which problems an operation can answer with: those of its scope, its body and its keys, and its own.

import { PROBLEMS } from '../problems.ts';
import type { ProblemCode, ProblemKind } from '../problems.ts';
import type { OperationDoc } from './operation-doc.ts';

/** What the route itself says. */
export interface RouteFacts {
  /** `public`, `signed`, `any`, or that of a key. */
  readonly scope: string;
  /** It takes Idempotency-Key. */
  readonly idempotent: boolean;
}

const ofAll: readonly ProblemCode[] = ['invalid_request', 'internal_error', 'shutting_down'];
const ofKeys: readonly ProblemCode[] = ['unauthenticated', 'rate_limited'];
const ofMedia: readonly ProblemCode[] = [
  'file_missing',
  'malformed_multipart',
  'upload_incomplete',
  'request_timeout',
  'payload_too_large',
  'content_encoding_unsupported',
  'overloaded',
  'quota_exceeded',
];
const ofIdempotency: readonly ProblemCode[] = ['idempotency_in_flight', 'idempotency_key_reused'];

/** By status, in the order of the statuses. */
export function refusalsOf(
  { errors = [], body }: Pick<OperationDoc, 'errors' | 'body'>,
  { scope, idempotent }: RouteFacts,
): ReadonlyMap<number, readonly ProblemCode[]> {
  const isOpen = scope === 'public' || scope === 'signed';
  const isMedia =
    body !== undefined && !('application/json' in body.content && Object.keys(body.content).length === 1);
  const codes = new Set([
    ...ofAll,
    ...(isOpen ? [] : ofKeys),
    ...(isOpen || scope === 'any' ? [] : (['forbidden'] as const)),
    ...(isMedia ? ofMedia : []),
    ...(idempotent ? ofIdempotency : []),
    ...errors,
  ]);
  const statuses = Map.groupBy([...codes], (code) => PROBLEMS[code].status);
  return new Map([...statuses].toSorted(([a], [b]) => a - b));
}

export function canWait(codes: readonly ProblemCode[]): boolean {
  return codes.some((code) => (PROBLEMS[code] as ProblemKind).retryAfter !== undefined);
}
