import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  afterAttempt,
  disabled,
  enabled,
  moved,
  newEndpoint,
  OLD_SECRET_MS,
  rotated,
  signingSecrets,
} from '../../src/webhooks/endpoint.ts';
import type { Endpoint } from '../../src/webhooks/endpoint.ts';
import { MAX_ENDPOINTS, openEndpoints } from '../../src/webhooks/endpoints.ts';
import { DAY } from '../../src/webhooks/schedule.ts';
import { makeSite, TENANT } from './site.ts';
import type { Site } from './site.ts';

const now = Date.UTC(2026, 10, 22);
const url = 'https://example.com/';
const anEndpoint = () => newEndpoint(url, ['job.failed'], now);
const after = (endpoint: Endpoint, outcome: 'delivered' | 'failed' | 'gone', at = now): Endpoint =>
  afterAttempt(endpoint, { url, outcome }, at);

describe('an endpoint', () => {
  it('signs with the old secret too until a day after it was replaced', () => {
    const first = anEndpoint();
    const second = rotated(first, now);
    const [old, fresh] = [first.secrets[0]!.secret, second.secrets[0]!.secret];
    expect(signingSecrets(second, now + OLD_SECRET_MS - 1)).toEqual([fresh, old]);
    expect(signingSecrets(second, now + OLD_SECRET_MS)).toEqual([fresh]);
  });

  it('keeps the secret that a receiver may still go by: a fourth is refused until the first has ended', () => {
    const first = anEndpoint();
    const third = rotated(rotated(first, now), now + 1);
    expect(signingSecrets(third, now + 2)).toHaveLength(3);
    expect(signingSecrets(third, now + 2)).toContain(first.secrets[0]?.secret);
    expect(() => rotated(third, now + 2)).toThrow(
      expect.objectContaining({
        code: 'webhook_secret_limit',
        message: expect.stringContaining(new Date(now + OLD_SECRET_MS).toISOString()) as unknown,
      }),
    );
    const fourth = rotated(third, now + OLD_SECRET_MS);
    expect(signingSecrets(fourth, now + OLD_SECRET_MS)).toHaveLength(3);
  });

  it('ends all old secrets at once where they are revoked', () => {
    const third = rotated(rotated(anEndpoint(), now), now + 1);
    const fresh = rotated(third, now + 2, { revoke: true });
    expect(fresh.secrets).toEqual([{ secret: expect.any(String) as unknown, expiresAt: null }]);
    expect(third.secrets.map(({ secret }) => secret)).not.toContain(fresh.secrets[0]?.secret);
  });

  it('is disabled by 410, and by failures for five days without a success', () => {
    expect(after(anEndpoint(), 'gone')).toMatchObject({ disabledReason: 'gone', dropsBefore: now });
    const thrice = [0, 1, 2].reduce((endpoint) => after(endpoint, 'failed'), anEndpoint());
    expect(after(thrice, 'failed', now + 5 * DAY - 1)).toBe(thrice);
    expect(after(thrice, 'failed', now + 5 * DAY)).toMatchObject({ disabledReason: 'failing' });
    const well = after(thrice, 'delivered', now + DAY);
    expect(well).toMatchObject({ failingSince: null, failures: 0 });
    expect(after(well, 'delivered', now + DAY)).toBe(well);
  });

  it('is not disabled by two failures, however far apart', () => {
    const twice = after(after(anEndpoint(), 'failed'), 'failed', now + 9 * DAY);
    expect(twice).toMatchObject({ disabledAt: null, failures: 2 });
    expect(after(twice, 'failed', now + 9 * DAY)).toMatchObject({ disabledReason: 'failing' });
  });

  it('begins anew at another address, and takes no word of the old one', () => {
    const failing = [0, 1, 2].reduce((endpoint) => after(endpoint, 'failed'), anEndpoint());
    expect(moved(failing, url)).toBe(failing);
    const there = moved(failing, 'https://example.com/new');
    expect(there).toMatchObject({ url: 'https://example.com/new', failingSince: null, failures: 0 });
    for (const outcome of ['gone', 'failed', 'delivered'] as const)
      expect(after(there, outcome, now + 9 * DAY)).toBe(there);
  });

  it('begins anew when it is enabled, but does not send what was dropped', () => {
    const off = disabled(after(anEndpoint(), 'failed'), 'asked', now + 1);
    expect(disabled(off, 'gone', now + 2)).toBe(off);
    expect(enabled(off)).toMatchObject({
      disabledAt: null,
      disabledReason: null,
      failingSince: null,
      dropsBefore: now + 1,
    });
    expect(enabled(enabled(off)).id).toBe(off.id);
  });
});

describe('the endpoints of a tenant', () => {
  let site: Site;
  beforeEach(async () => {
    site = await makeSite();
  });
  afterEach(() => site[Symbol.asyncDispose]());

  it('are never more than there may be, also when many are made at once', async () => {
    const endpoints = openEndpoints(site.records);
    const made = await Promise.allSettled(
      Array.from({ length: MAX_ENDPOINTS + 5 }, () => endpoints.add(TENANT, anEndpoint())),
    );
    const refused = made.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(5);
    expect(refused[0]).toMatchObject({ reason: { code: 'webhook_limit' } });
    const [first] = await endpoints.list(TENANT);
    expect(await endpoints.list(TENANT)).toHaveLength(MAX_ENDPOINTS);
    await endpoints.add('somebody else', anEndpoint());
    expect(await endpoints.remove(TENANT, first!.id)).toBe(true);
    expect(await endpoints.remove(TENANT, first!.id)).toBe(false);
    await endpoints.add(TENANT, anEndpoint());
  });

  it('lose no change that is made at the same time as another', async () => {
    const endpoints = openEndpoints(site.records);
    const two = [anEndpoint(), anEndpoint()];
    for (const each of two) await endpoints.add(TENANT, each);
    await Promise.all([
      ...two.map(({ id }) => endpoints.update(TENANT, id, (each) => rotated(each, now))),
      ...two.map(({ id }) => endpoints.update(TENANT, id, (each) => disabled(each, 'gone', now))),
    ]);
    for (const { id } of two) {
      const changed = await endpoints.get(TENANT, id);
      expect([changed?.secrets.length, changed?.disabledReason]).toEqual([2, 'gone']);
    }
    expect(await endpoints.update(TENANT, 'nobody', (each) => each)).toBeUndefined();
    expect(await endpoints.get('somebody else', two[0]!.id)).toBeUndefined();
  });
});
