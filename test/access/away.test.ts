// Keys and counts while their backend is away: remembered, and at once.

import { expect, it } from 'vitest';
import type { Meters, Records } from '../../src/contracts.ts';
import { createKeys } from '../../src/access/keys.ts';
import { lenientMeters, RECALLED_MS, recallingRecords } from '../../src/access/away.ts';
import { Problem } from '../../src/problems.ts';
import { openSqliteMeters } from '../../src/registers/sqlite-meters.ts';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';

const KIND = { name: 'thing' };

/** Real records and meters behind a wire that can be cut. */
async function wired() {
  const real = {
    records: await openSqliteRecords({ path: ':memory:' }),
    meters: await openSqliteMeters({ path: ':memory:' }),
  };
  const wire = { cut: false, known: false, calls: 0, at: 0 };
  const behind = <T extends object>(of: T): T =>
    new Proxy(of, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function' || name === 'now') return method;
        return async (...what: unknown[]): Promise<unknown> => {
          wire.calls++;
          if (wire.cut) throw new Problem('backend_unavailable', 'away');
          return (method as (...what: unknown[]) => unknown).apply(target, what);
        };
      },
    });
  const options = { isReachable: () => !wire.known, clock: () => wire.at };
  return {
    wire,
    records: recallingRecords(behind<Records>(real.records), options),
    meters: lenientMeters(behind<Meters>(real.meters), options),
    async [Symbol.asyncDispose]() {
      await real.records.close();
      await real.meters.close();
    },
  };
}

it('what was read is recalled, what was not is refused, nothing is written', async () => {
  await using all = await wired();
  const { records, wire } = all;
  await records.put(KIND, 'a', { is: 1 }, { group: 'g' }, 0);
  await records.put(KIND, 'b', { is: 2 }, { group: 'g' }, 0);
  await records.get(KIND, 'a');
  await records.list(KIND, { limit: 1 });
  expect(await records.get(KIND, 'none')).toBeUndefined();
  wire.cut = true;
  expect(await records.get(KIND, 'a')).toMatchObject({ value: { is: 1 } });
  expect((await records.list(KIND, { limit: 1 })).items).toHaveLength(1);
  expect(await records.get(KIND, 'none')).toBeUndefined();
  await expect(records.get(KIND, 'b')).rejects.toMatchObject({ code: 'backend_unavailable' });
  await expect(records.list(KIND, { limit: 2 })).rejects.toMatchObject({ code: 'backend_unavailable' });
  await expect(records.put(KIND, 'a', {}, { group: 'g' }, 1)).rejects.toMatchObject({
    code: 'backend_unavailable',
  });
});

it('once it is known to be away nobody is kept waiting for the time-out of a call', async () => {
  await using all = await wired();
  const { records, meters, wire } = all;
  await records.get(KIND, 'a');
  wire.cut = wire.known = true;
  const { calls } = wire;
  await records.get(KIND, 'a');
  await meters.take('requests:x', { perMinute: 1, burst: 1 });
  // A download spends each MiB: it would wait each time.
  await expect(meters.spend('bytes', 1, Date.now() + 1000)).rejects.toMatchObject({
    code: 'backend_unavailable',
  });
  expect(wire.calls).toBe(calls);
});

it('a quarter of an hour later it is not believed any more', async () => {
  await using all = await wired();
  const { records, wire } = all;
  await records.get(KIND, 'a');
  wire.cut = wire.known = true;
  wire.at = RECALLED_MS - 1;
  await records.get(KIND, 'a');
  wire.at = RECALLED_MS;
  await expect(records.get(KIND, 'a')).rejects.toMatchObject({ code: 'backend_unavailable' });
});

it('a key that was used lets in, one that was revoked or never seen does not', async () => {
  await using all = await wired();
  const { records, wire } = all;
  const keys = createKeys({ records, clock: () => wire.at });
  const make = () => keys.create({ tenant: 't', name: 'n', scopes: ['jobs:read'], expiresAt: null });
  const [used, unseen, revoked] = [await make(), await make(), await make()];
  await keys.revoke(revoked.key.id);
  await keys.verify(used.text);
  await expect(keys.verify(revoked.text)).rejects.toMatchObject({ code: 'unauthenticated' });
  wire.cut = wire.known = true;
  wire.at += 10_000;
  expect(await keys.exist()).toBe(true);
  expect((await keys.verify(used.text)).tenant).toBe('t');
  await expect(keys.verify(revoked.text)).rejects.toMatchObject({ code: 'unauthenticated' });
  await expect(keys.verify(unseen.text)).rejects.toMatchObject({ code: 'backend_unavailable' });
});

it('counts hold as long as they can be kept, and hold up nobody without', async () => {
  await using all = await wired();
  const { meters, wire } = all;
  const take = () => meters.take('requests:x', { perMinute: 1, burst: 1 });
  expect((await take()).allowed).toBe(true);
  expect((await take()).allowed).toBe(false);
  expect(await meters.enter('gate', 1, 'one', 60_000)).toBe(true);
  expect(await meters.enter('gate', 1, 'two', 60_000)).toBe(false);
  wire.cut = true;
  expect((await take()).allowed).toBe(true);
  expect(await meters.enter('gate', 1, 'two', 60_000)).toBe(true);
  expect(await meters.reserve('bytes', 10, 1, 'two', 1000)).toBe(true);
  await meters.renew('gate', 'two', 1000);
  await meters.leave('gate', 'two');
  await expect(meters.spend('minutes', 1, Date.now() + 1000)).rejects.toMatchObject({
    code: 'backend_unavailable',
  });
  wire.cut = false;
  expect((await take()).allowed).toBe(false);
});
