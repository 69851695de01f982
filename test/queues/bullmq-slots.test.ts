// The places of a machine, over a real Redis: that nobody takes one whose holder lives, whatever its lease says.

import { afterEach, expect, it, vi } from 'vitest';
import { MachineSlots } from '../../src/queues/bullmq-slots.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import { bullFleet } from './bullmq-fixture.ts';

const fleet = bullFleet();
const log = { warn: () => undefined, error: () => undefined };
const closers: (() => Promise<void>)[] = [];
/** Milliseconds that have passed beside those of the clock. */
let passed = 0;
afterEach(async () => {
  vi.restoreAllMocks();
  passed = 0;
  for (const close of closers.splice(0)) await close();
});

function process(owner: string, leaseSeconds: number): MachineSlots {
  const redis = connectRedis({ url: fleet.server.url, name: 'test', log });
  const slots = new MachineSlots({
    ...{ redis, prefix: fleet.prefix, machine: 'this', owner, leaseSeconds, log, pollMilliseconds: 20 },
    now: () => Date.now() + passed,
  });
  closers.push(async () => {
    await slots.close();
    redis.disconnect();
  });
  return slots;
}

const key = (): string => `${fleet.prefix}slots:this:image`;
const signal = new AbortController().signal;

it('are left to those who live, when all were cut off for longer than a lease', async () => {
  const [holder, other] = [process('holder', 0.6), process('other', 0.6)];
  const held = await holder.wait('image', 1, signal);
  if (held === undefined) throw new Error('no place');
  const real = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => real() + passed);
  passed = 60_000;
  const waiting = other.wait('image', 1, signal);
  // Its holder comes back a little later than the other.
  await vi.waitFor(async () =>
    expect(Number(await fleet.raw.zscore(key(), held.who))).toBeGreaterThan(Date.now() + passed),
  );
  expect(await fleet.raw.zrange(key(), '0', '-1')).toEqual([held.who]);
  await holder.leave(held);
  expect(await waiting).toMatchObject({ kind: 'image' });
});

it('are shown again as soon as the connection is back', async () => {
  const holder = process('holder', 30);
  const held = await holder.wait('image', 1, signal);
  // With its last second Redis may have lost the place.
  await fleet.raw.del(key());
  await fleet.raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await vi.waitFor(async () => expect(await fleet.raw.zrange(key(), '0', '-1')).toEqual([held?.who]), 5000);
});
