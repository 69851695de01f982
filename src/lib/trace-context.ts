// W3C Trace Context (https://www.w3.org/TR/trace-context/): reads `traceparent`, goes on with it, begins one.

import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface TraceParent {
  /** 32 hex digits, the same for all that one cause has led to. */
  readonly traceId: string;
  /** 16 hex digits: of the one step that this is caused by. */
  readonly parentId: string;
  /** The caller may have recorded its step. */
  readonly sampled: boolean;
}

const PATTERN = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;

/** Undefined for what is not valid by §3.2: then it is as if none had come. */
export function parseTraceParent(header: unknown): TraceParent | undefined {
  if (typeof header !== 'string' || header.length > 512) return undefined;
  const [, version, traceId = '', parentId = '', flags = '', more] = PATTERN.exec(header) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined;
  // Of later versions we know what they share with this one.
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The `traceparent` of a step of our own: caused by `parent` if that is valid, else the first of its trace. */
export function continueTrace(parent: unknown): string {
  const { traceId, sampled } = parseTraceParent(parent) ?? {
    traceId: randomBytes(16).toString('hex'),
    sampled: false,
  };
  return `00-${traceId}-${randomBytes(8).toString('hex')}-${sampled ? '01' : '00'}`;
}

/** The `traceparent` of a job that a request makes: what is done for it, and told of it, goes on from there. */
export function traceOf({ headers }: { readonly headers: IncomingHttpHeaders }): string {
  return continueTrace(headers['traceparent']);
}
