// A delivery: one message to one receiver, and what became of every attempt to bring it there.

import type { RecordKind, RecordPlace } from '../contracts.ts';
import { newId } from '../lib/id.ts';
import type { Endpoint, EventType } from './endpoint.ts';
import { DAY, nextAttempt } from './schedule.ts';

export const DELIVERY_STATES = ['pending', 'delivered', 'failed', 'dropped'] as const;
/** `dropped`: given up because the receiver is gone or disabled, before the time of retries was over. */
export type DeliveryState = (typeof DELIVERY_STATES)[number];

export interface Attempt {
  /** Milliseconds since 1970, as all times here. */
  readonly at: number;
  /** Of HTTP; null where nothing was answered. */
  readonly status: number | null;
  /** Why it is a failure; null for a success. */
  readonly error: string | null;
  readonly ms: number;
  /** How the body of the answer began. */
  readonly responseHead: string;
}

export interface NewDelivery {
  readonly id: string;
  readonly tenant: string;
  /** Null for a test. */
  readonly jobId: string | null;
  /** Null: to the address that the job named itself. */
  readonly endpointId: string | null;
  /** Of the latest attempt, or of the next. */
  readonly url: string;
  readonly eventType: EventType;
  /** The very text that is sent. */
  readonly body: string;
  /** W3C `traceparent` of the request that made the job. */
  readonly trace: string | null;
}

export interface Delivery extends NewDelivery {
  /** `webhook-id`: the same for all attempts, so that a receiver knows what it has already. */
  readonly messageId: string;
  readonly createdAt: number;
  /** When it was first due, or asked for anew. */
  readonly since: number;
  readonly state: DeliveryState;
  /** Why it was dropped or failed. */
  readonly reason: string | null;
  /** Failed attempts since `since`. */
  readonly tries: number;
  /** While it waits. */
  readonly nextAt: number | null;
  /** Who sends it now. One that dies leaves it to others when the lease has run out. */
  readonly lease: { readonly owner: string; readonly until: number } | null;
  /** The latest. */
  readonly attempts: readonly Attempt[];
  readonly attemptCount: number;
}

/** By id; the group is the job, or for a test the endpoint. */
export const DELIVERIES: RecordKind<Delivery> = { name: 'delivery' };

const KEPT_ATTEMPTS = 20;
const KEPT_MS = 30 * DAY;
/** Somebody is looking on: an old test has nothing to say. */
const MOST_TRIES_OF_TEST = 2;
/** Longer than an attempt may take, so that only who died, or stood still, loses one. */
export const LEASE_MS = 30_000;

export function newDelivery(told: NewDelivery, now: number): Delivery {
  return {
    ...told,
    messageId: `msg_${newId(now)}`,
    createdAt: now,
    since: now,
    state: 'pending',
    reason: null,
    tries: 0,
    nextAt: now,
    lease: null,
    attempts: [],
    attemptCount: 0,
  };
}

/** Where the record of a delivery stands: due while it is pending, kept for 30 days. */
export function placeOf({ id, jobId, endpointId, since, state, nextAt, lease }: Delivery): RecordPlace {
  return {
    group: jobId ?? endpointId ?? id,
    dueAt: state === 'pending' ? (lease?.until ?? nextAt) : null,
    expiresAt: since + KEPT_MS,
  };
}

/** Whether somebody is sending it at this moment, as far as is known. */
export function isBeingSent({ state, lease }: Delivery, now: number): boolean {
  return state === 'pending' && lease !== null && lease.until > now;
}

/** Why a pending one is not sent any more; undefined while it is. `endpoint` is the one that it is for. */
export function dropReason(delivery: Delivery, endpoint: Endpoint | undefined): string | undefined {
  if (delivery.state !== 'pending' || delivery.endpointId === null) return undefined;
  if (endpoint === undefined) return 'the webhook was removed';
  if (endpoint.disabledAt !== null || delivery.since < (endpoint.dropsBefore ?? 0))
    return 'the webhook was disabled';
  return undefined;
}

/** Taken by `owner` for one attempt. */
export function claimed(delivery: Delivery, owner: string, url: string, now: number): Delivery {
  return { ...delivery, url, lease: { owner, until: now + LEASE_MS } };
}

/** Given back without an attempt, due at `nextAt`. */
export function handedBack(delivery: Delivery, nextAt: number): Delivery {
  return { ...delivery, lease: null, nextAt };
}

export function dropped(delivery: Delivery, reason: string): Delivery {
  return { ...delivery, state: 'dropped', reason, lease: null, nextAt: null };
}

/** To be sent again from now on, with new retries and the same `messageId`; one that is being sent stays as it is. */
export function replayed(delivery: Delivery, now: number): Delivery {
  if (isBeingSent(delivery, now)) return delivery;
  return { ...delivery, state: 'pending', reason: null, since: now, tries: 0, nextAt: now, lease: null };
}

export type Outcome = 'delivered' | 'failed' | 'gone';

/**
 * Any 2xx is a success, 410 says that nobody wants to hear more, everything else (redirects too) may pass. `hasMoved`: the
 * webhook has another address since, and it is the old one that is gone.
 */
export function outcomeOf({ status }: Pick<Attempt, 'status'>, hasMoved = false): Outcome {
  if (status !== null && status >= 200 && status < 300) return 'delivered';
  return status === 410 && !hasMoved ? 'gone' : 'failed';
}

export interface Concluding {
  readonly now: number;
  /** Milliseconds that the receiver asked to wait. */
  readonly wish?: number | undefined;
  /** As `outcomeOf` has it. */
  readonly hasMoved?: boolean;
  readonly random?: () => number;
}

/** After an attempt. */
export function concluded(
  before: Delivery,
  attempt: Attempt,
  { now, wish, hasMoved, random }: Concluding,
): Delivery {
  const delivery = {
    ...before,
    attempts: [...before.attempts, attempt].slice(-KEPT_ATTEMPTS),
    attemptCount: before.attemptCount + 1,
  };
  // Somebody who took it over has ended it meanwhile.
  if (before.state !== 'pending') return delivery;
  const outcome = outcomeOf(attempt, hasMoved);
  if (outcome === 'delivered') return { ...delivery, state: 'delivered', nextAt: null, lease: null };
  if (outcome === 'gone') return dropped(delivery, 'the receiver answered 410: it wants nothing more');
  const tries = before.tries + 1;
  const isOver = before.eventType === 'test' && tries >= MOST_TRIES_OF_TEST;
  const nextAt = isOver ? null : nextAttempt({ tries, since: before.since, now, wish }, random);
  if (nextAt !== null) return { ...delivery, tries, nextAt, lease: null };
  const reason = isOver ? 'a test is tried twice at most' : 'no attempt succeeded within three days';
  return { ...delivery, tries, state: 'failed', reason, nextAt: null, lease: null };
}
