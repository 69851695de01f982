// An endpoint: where a tenant wants to be told how its jobs ended, and how it fares.

import { newId } from '../lib/id.ts';
import { newWebhookSecret } from '../lib/webhook-signature.ts';
import { Problem } from '../problems.ts';
import { DAY } from './schedule.ts';

export const JOB_EVENTS = ['job.succeeded', 'job.failed', 'job.cancelled'] as const;
/** What an endpoint can be told of. */
export type JobEventType = (typeof JOB_EVENTS)[number];
/** `test` is sent by request only. */
export type EventType = JobEventType | 'test';

/** `gone`: it answered 410. `failing`: nothing but failures for five days. `asked`: its owner wanted it so. */
export const DISABLED_REASONS = ['gone', 'failing', 'asked'] as const;
export type DisabledReason = (typeof DISABLED_REASONS)[number];

interface Secret {
  readonly secret: string;
  /** Milliseconds since 1970, as all times here; null for the one in use. */
  readonly expiresAt: number | null;
}

export interface Endpoint {
  readonly id: string;
  readonly url: string;
  readonly events: readonly JobEventType[];
  /** The newest first. */
  readonly secrets: readonly Secret[];
  readonly createdAt: number;
  readonly disabledAt: number | null;
  readonly disabledReason: DisabledReason | null;
  /** Deliveries from before this are dropped: what was pending when it was last disabled. */
  readonly dropsBefore: number | null;
  /** Of the first failure after the last success. */
  readonly failingSince: number | null;
  /** Failures since then, counted up to as many as it takes to disable it. */
  readonly failures: number;
}

/** A secret that was replaced signs along for so long. */
export const OLD_SECRET_MS = DAY;
const MOST_SECRETS = 3;
const FAILING_MS = 5 * DAY;
/** Fewer in all that time may be one bad moment, and another. */
const FAILURES_TO_DISABLE = 3;

export function newEndpoint(
  url: string,
  events: readonly JobEventType[],
  now: number,
  id = newId(now),
): Endpoint {
  return {
    id,
    url,
    events,
    secrets: [{ secret: newWebhookSecret(), expiresAt: null }],
    createdAt: now,
    disabledAt: null,
    disabledReason: null,
    dropsBefore: null,
    failingSince: null,
    failures: 0,
  };
}

/** Those that sign now, the newest first. */
export function signingSecrets({ secrets }: Endpoint, now: number): string[] {
  return secrets.filter(({ expiresAt }) => expiresAt === null || expiresAt > now).map(({ secret }) => secret);
}

/**
 * With a new secret. The one before signs along for a day, so that the receiver can be changed meanwhile; with `revoke` no
 * old one signs any more. Throws `webhook_secret_limit` while three sign: the receiver may still go by the oldest.
 */
export function rotated(endpoint: Endpoint, now: number, { revoke = false } = {}): Endpoint {
  const old = endpoint.secrets
    .filter(({ expiresAt }) => !revoke && (expiresAt === null || expiresAt > now))
    .map(({ secret, expiresAt }) => ({ secret, expiresAt: expiresAt ?? now + OLD_SECRET_MS }));
  if (old.length >= MOST_SECRETS) {
    const until = new Date(Math.min(...old.map(({ expiresAt }) => expiresAt))).toISOString();
    throw new Problem(
      'webhook_secret_limit',
      `${old.length} secrets sign for this webhook, the oldest until ${until}. Wait until then, or send { "revoke": true }, which ends all old ones at once.`,
    );
  }
  return { ...endpoint, secrets: [{ secret: newWebhookSecret(), expiresAt: null }, ...old] };
}

/** With another address, which begins with a clean sheet. */
export function moved(endpoint: Endpoint, url: string): Endpoint {
  return url === endpoint.url ? endpoint : { ...endpoint, url, failingSince: null, failures: 0 };
}

export function disabled(endpoint: Endpoint, reason: DisabledReason, now: number): Endpoint {
  if (endpoint.disabledAt !== null) return endpoint;
  return { ...endpoint, disabledAt: now, disabledReason: reason, dropsBefore: now };
}

export function enabled(endpoint: Endpoint): Endpoint {
  if (endpoint.disabledAt === null) return endpoint;
  return { ...endpoint, disabledAt: null, disabledReason: null, failingSince: null, failures: 0 };
}

/**
 * The endpoint after an attempt at `url`; the same object where nothing is to be written down, as when its address is
 * another by now.
 */
export function afterAttempt(
  endpoint: Endpoint,
  { url, outcome }: { readonly url: string; readonly outcome: 'delivered' | 'failed' | 'gone' },
  now: number,
): Endpoint {
  if (url !== endpoint.url) return endpoint;
  if (outcome === 'gone') return disabled(endpoint, 'gone', now);
  if (outcome === 'delivered')
    return endpoint.failingSince === null ? endpoint : { ...endpoint, failingSince: null, failures: 0 };
  const failingSince = endpoint.failingSince ?? now;
  const failures = Math.min(endpoint.failures + 1, FAILURES_TO_DISABLE);
  const failing =
    failures === endpoint.failures && failingSince === endpoint.failingSince
      ? endpoint
      : { ...endpoint, failingSince, failures };
  const isOver = failures >= FAILURES_TO_DISABLE && now - failingSince >= FAILING_MS;
  return isOver ? disabled(failing, 'failing', now) : failing;
}
