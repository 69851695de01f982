import { describe, expect, it } from 'vitest';
import {
  claimed,
  concluded,
  dropReason,
  handedBack,
  LEASE_MS,
  newDelivery,
  placeOf,
  replayed,
} from '../../src/webhooks/delivery.ts';
import type { Attempt, Delivery } from '../../src/webhooks/delivery.ts';
import { disabled, enabled, newEndpoint } from '../../src/webhooks/endpoint.ts';
import { DAY } from '../../src/webhooks/schedule.ts';

const now = Date.UTC(2026, 10, 22);
const endpoint = newEndpoint('https://example.com/', ['job.failed'], now - DAY);
const fresh = newDelivery(
  {
    id: 'job.endpoint',
    tenant: 'default',
    jobId: 'job',
    endpointId: endpoint.id,
    url: endpoint.url,
    eventType: 'job.failed',
    body: '{}',
    trace: null,
  },
  now,
);
const attempt = (status: number | null): Attempt => ({
  at: now,
  status,
  error: null,
  ms: 1,
  responseHead: '',
});
const after = (delivery: Delivery, status: number | null, at = now): Delivery =>
  concluded(delivery, attempt(status), { now: at, random: () => 0.5 });

describe('a delivery', () => {
  it('is due at once, while it is sent when its lease runs out, and after a failure when it is tried again', () => {
    expect(placeOf(fresh)).toEqual({ group: 'job', dueAt: now, expiresAt: now + 30 * DAY });
    const taken = claimed(fresh, 'me', 'https://example.com/new', now);
    expect(placeOf(taken).dueAt).toBe(now + LEASE_MS);
    expect(taken.url).toBe('https://example.com/new');
    expect(placeOf(handedBack(taken, now + 3)).dueAt).toBe(now + 3);
    expect(placeOf(after(taken, 500)).dueAt).toBe(now + 5000);
    expect(placeOf(after(taken, 204)).dueAt).toBeNull();
  });

  it.each([
    [200, 'delivered'],
    [299, 'delivered'],
    [199, 'pending'],
    [301, 'pending'],
    [404, 'pending'],
    [429, 'pending'],
    [null, 'pending'],
    [410, 'dropped'],
  ])('is, after an answer of %s, %s', (status, state) => {
    expect(after(claimed(fresh, 'me', fresh.url, now), status)).toMatchObject({
      state,
      lease: null,
      attemptCount: 1,
    });
  });

  it('is tried again, and not dropped, where it is the address of before that is gone', () => {
    const taken = claimed(fresh, 'me', fresh.url, now);
    const concluding = { now, hasMoved: true, random: () => 0.5 };
    expect(concluded(taken, attempt(410), concluding)).toMatchObject({
      state: 'pending',
      nextAt: now + 5000,
    });
    expect(concluded(taken, attempt(204), concluding)).toMatchObject({ state: 'delivered' });
  });

  it('of a test is tried twice at most, and twice again when it is replayed', () => {
    const once = after({ ...fresh, eventType: 'test' }, 500);
    expect(once).toMatchObject({ state: 'pending', tries: 1 });
    const twice = after(once, 500);
    expect(twice).toMatchObject({ state: 'failed', nextAt: null, reason: 'a test is tried twice at most' });
    expect(after(replayed(twice, now), 500)).toMatchObject({ state: 'pending', tries: 1 });
  });

  it('stays delivered when somebody slower fails', () => {
    const late = after(after(fresh, 200), 500);
    expect(late).toMatchObject({ state: 'delivered', nextAt: null, attemptCount: 2 });
  });

  it('keeps its last twenty attempts, and counts all', () => {
    let delivery = fresh;
    for (let i = 0; i < 25; i++) delivery = after({ ...delivery, state: 'pending' }, 500, now + i);
    expect(delivery.attempts).toHaveLength(20);
    expect(delivery.attemptCount).toBe(25);
  });

  it('is sent again as the same message, with all retries, but not while it is being sent', () => {
    const failed: Delivery = { ...fresh, state: 'failed', reason: 'no', tries: 11, nextAt: null };
    expect(replayed(failed, now + DAY)).toEqual({ ...fresh, since: now + DAY, nextAt: now + DAY });
    const taken = claimed(fresh, 'me', fresh.url, now);
    expect(replayed(taken, now + 1)).toBe(taken);
    expect(replayed(taken, now + LEASE_MS).lease).toBeNull();
  });

  it('is dropped when its endpoint is gone, disabled, or was so since', () => {
    expect(dropReason(fresh, endpoint)).toBeUndefined();
    expect(dropReason(fresh, undefined)).toBe('the webhook was removed');
    const off = disabled(endpoint, 'asked', now + 1);
    expect(dropReason(fresh, off)).toBe('the webhook was disabled');
    expect(dropReason(fresh, enabled(off))).toBe('the webhook was disabled');
    expect(dropReason(replayed(fresh, now + 2), enabled(off))).toBeUndefined();
    expect(dropReason({ ...fresh, endpointId: null }, undefined)).toBeUndefined();
    expect(dropReason({ ...fresh, state: 'delivered' }, undefined)).toBeUndefined();
  });
});
