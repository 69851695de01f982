// Who asks: a tenant, and what its key may do.

import { DEFAULT_TENANT } from '../jobs/job.ts';

export const SCOPES = ['images', 'jobs:read', 'jobs:write', 'uploads', 'webhooks', 'machine'] as const;
/** What a key may do: `images` (answered at once), jobs, uploads, webhooks, and looking at the machine itself. */
export type Scope = (typeof SCOPES)[number];

/** How much a tenant may use; null: as much as it likes. */
export interface TenantLimits {
  readonly requestsPerMinute: number | null;
  /** Requests that work or send a body, at once; and as many streams of events. */
  readonly concurrentRequests: number | null;
  /** Jobs that wait or run. */
  readonly activeJobs: number | null;
  /** Bytes that are sent to the server, or fetched for a job, per day (UTC). */
  readonly bytesPerDay: number | null;
  /** Minutes of video worked on, per day (UTC). */
  readonly minutesPerDay: number | null;
}

export const UNLIMITED: TenantLimits = {
  requestsPerMinute: null,
  concurrentRequests: null,
  activeJobs: null,
  bytesPerDay: null,
  minutesPerDay: null,
};

/** Of the ceilings above, for the tenant of that name; those that are not named here are the settings'. */
export type TenantOverrides = Partial<TenantLimits>;

/** Whether a text can name a tenant: 1–64 of `a-z 0-9 - _`, the first a letter or a digit. */
export function isTenantName(text: string): boolean {
  return /^[a-z0-9][a-z0-9_-]{0,63}$/.test(text);
}

export interface Caller {
  readonly tenant: string;
  /** Null where nobody is asked for a key. */
  readonly keyId: string | null;
  /** Null where the key itself was sent. */
  readonly sessionId: string | null;
  readonly scopes: ReadonlySet<Scope>;
  readonly limits: TenantLimits;
}

/** Whoever reaches a server that has no keys. */
export const ANYBODY: Caller = {
  tenant: DEFAULT_TENANT,
  keyId: null,
  sessionId: null,
  scopes: new Set(SCOPES),
  limits: UNLIMITED,
};
