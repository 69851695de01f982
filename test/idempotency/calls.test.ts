// Calls with an Idempotency-Key over real records, from two connections as from two processes, and time by hand.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Records } from '../../src/contracts.ts';
import { idempotentCalls } from '../../src/idempotency/calls.ts';
import type { IdempotentCalls, OwnCall } from '../../src/idempotency/calls.ts';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';

let folder: string;
let records: Records[];
let left: IdempotentCalls;
let right: IdempotentCalls;
let time = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-calls-'));
  time = Date.now();
  const now = (): number => time;
  records = [];
  for (let side = 0; side < 2; side++)
    records.push(await openSqliteRecords({ path: join(folder, 'records.sqlite'), now }));
  const [one, two] = records.map((side) =>
    idempotentCalls({ records: side, keepSeconds: 3600, leaseSeconds: 10, now }),
  );
  left = one!;
  right = two!;
});
afterEach(async () => {
  for (const side of records) await side.close();
  await rm(folder, { recursive: true });
});

const call = { tenant: 'acme', key: 'k', target: 'POST /v1/jobs' };
const seal = { digest: 'abc', bytes: 3 };
const answer = { status: 202, headers: { location: '/v1/jobs/1' }, body: '{}' };
const code = (name: string) => expect.objectContaining({ code: name });
async function own(calls: IdempotentCalls, asked = call): Promise<OwnCall> {
  const begun = await calls.begin(asked);
  if (begun.kind !== 'own') throw new Error('it was answered before');
  return begun;
}
async function done(calls: IdempotentCalls): Promise<void> {
  const mine = await own(calls);
  await mine.seal(seal);
  await mine.finish(answer);
}

describe('a call with a key', () => {
  it('is answered again in another process, until its time is over', async () => {
    const expiresAt = time + 3_600_000;
    await done(left);
    expect(await right.begin(call)).toEqual({ kind: 'done', seal, answer, expiresAt });
    time = expiresAt - 1;
    expect(await left.begin(call)).toMatchObject({ kind: 'done' });
    time = expiresAt;
    expect(await right.begin(call)).toMatchObject({ kind: 'own' });
  });

  it('is one call at a time, whichever process it comes to', async () => {
    const begun = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? left : right).begin(call)),
    );
    expect(begun.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const one of begun)
      if (one.status === 'rejected') expect(one.reason).toEqual(code('idempotency_in_flight'));
  });

  it('is refused for another target, while it runs and when it is done', async () => {
    const other = { ...call, target: 'POST /v1/jobs?preset=web' };
    const mine = await own(left);
    await expect(right.begin(other)).rejects.toEqual(code('idempotency_key_reused'));
    await mine.seal(seal);
    await mine.finish(answer);
    await expect(right.begin(other)).rejects.toEqual(code('idempotency_key_reused'));
  });

  it('of another tenant, or with another key, is another call', async () => {
    await done(left);
    await expect(right.begin({ ...call, tenant: 'other' })).resolves.toMatchObject({ kind: 'own' });
    await expect(right.begin({ ...call, key: 'other' })).resolves.toMatchObject({ kind: 'own' });
    // Not by putting the parts together otherwise, either.
    await expect(right.begin({ ...call, tenant: 'acm', key: 'ek' })).resolves.toMatchObject({ kind: 'own' });
  });

  it('may take longer than answers are kept', async () => {
    const mine = await own(left);
    for (let beat = 0; beat < 500; beat++) {
      time += 9000;
      await mine.beat();
    }
    await expect(right.begin(call)).rejects.toEqual(code('idempotency_in_flight'));
    await mine.seal(seal);
    expect(await mine.finish(answer)).toBe(time + 3_600_000);
    expect(await right.begin(call)).toMatchObject({ kind: 'done', expiresAt: time + 3_600_000 });
  });

  it('begins anew after an error', async () => {
    const first = await own(left);
    await first.seal(seal);
    await first.release();
    const second = await own(right);
    expect(second.generation).not.toBe(first.generation);
    await second.seal({ digest: 'other', bytes: 5 });
  });
});

describe('a call whose process died', () => {
  it('is taken over when its lease has run out, and not before', async () => {
    const dead = await own(left);
    time += 9999;
    await expect(right.begin(call)).rejects.toEqual(code('idempotency_in_flight'));
    await dead.beat();
    time += 9999;
    await expect(right.begin(call)).rejects.toEqual(code('idempotency_in_flight'));
    time += 1;
    expect((await own(right)).generation).toBe(dead.generation);
  });

  it('keeps its generation also when who took it over fails: a job may have been made', async () => {
    const dead = await own(left);
    await dead.seal(seal);
    time += 10_000;
    const second = await own(right);
    await second.release();
    const third = await own(left);
    expect(third.generation).toBe(dead.generation);
    await expect(third.seal({ digest: 'other', bytes: 3 })).rejects.toEqual(code('idempotency_key_reused'));
    await third.seal(seal);
  });

  it('is answered with what it has made, for good', async () => {
    const dead = await own(left);
    await dead.seal(seal);
    let there: typeof answer | undefined = answer;
    const asked: string[] = [];
    const withMade = {
      ...call,
      made: async (generation: string) => {
        asked.push(generation);
        return there;
      },
    };
    await expect(right.begin(withMade)).rejects.toEqual(code('idempotency_in_flight'));
    expect(asked).toEqual([]);
    time += 10_000;
    const expiresAt = time + 3_600_000;
    expect(await right.begin(withMade)).toEqual({ kind: 'done', seal, answer, expiresAt });
    expect(asked).toEqual([dead.generation]);
    // It may be removed now: the call has had its answer.
    there = undefined;
    expect(await left.begin(withMade)).toEqual({ kind: 'done', seal, answer, expiresAt });
    expect(await dead.finish(answer)).toBeUndefined();
  });

  it('is made anew if it had made nothing, and not even asked for that before its body was here', async () => {
    const dead = await own(left);
    time += 10_000;
    const made = async (): Promise<never> => {
      throw new Error('nothing can have been made');
    };
    const second = await right.begin({ ...call, made });
    expect(second).toMatchObject({ kind: 'own', generation: dead.generation });
    await (second as OwnCall).seal(seal);
    time += 10_000;
    const third = await left.begin({ ...call, made: async () => undefined });
    expect(third).toMatchObject({ kind: 'own', generation: dead.generation });
  });

  it('is not made by it any more if it was only paused', async () => {
    const paused = await own(left);
    time += 10_000;
    const second = await own(right);
    await expect(paused.seal(seal)).rejects.toEqual(code('idempotency_in_flight'));
    await paused.release();
    await paused.finish({ ...answer, body: 'the wrong one' });
    await expect(left.begin(call)).rejects.toEqual(code('idempotency_in_flight'));
    await second.seal(seal);
    await second.finish(answer);
    expect(await left.begin(call)).toMatchObject({ kind: 'done', answer });
  });
});

it('cannot be answered without a seal: its key would be stuck', async () => {
  const mine = await own(left);
  await expect(mine.finish(answer)).rejects.toThrow(/sealed/);
});

it('forgets what is over', async () => {
  await done(left);
  expect(await records[0]!.prune(time + 3_599_999, 10)).toBe(0);
  expect(await records[1]!.prune(time + 3_600_000, 10)).toBe(1);
});
