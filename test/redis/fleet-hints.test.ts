// Hints between the processes of two machines, over a real Redis.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Hint, HintBus } from '../../src/contracts.ts';
import { sourceMark } from '../../src/lib/cache-key.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import type { Redis } from '../../src/redis/connection.ts';
import { fleetHints } from '../../src/redis/fleet-hints.ts';
import type { FleetHints } from '../../src/redis/fleet-hints.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';

const CHANNEL = '{test}:hints';
const MARK = sourceMark('upload:a', 'default');
const quiet = { warn: () => undefined };

let server: TestRedis;
let outside: Redis;
const opened: FleetHints[] = [];
beforeEach(async () => {
  server = await startRedis();
  outside = connectRedis({ url: server.url, name: 'outside', log: quiet });
});
afterEach(async () => {
  for (const hints of opened.splice(0)) await hints.close();
  outside.disconnect();
  await server[Symbol.asyncDispose]();
});

interface Side {
  readonly hints: FleetHints;
  readonly heard: Hint[];
  /** Resolves when it has heard so many. */
  readonly has: (count: number) => Promise<void>;
}

async function processOf(machine: string, local: HintBus): Promise<Side> {
  const hints = fleetHints({ local, url: server.url, prefix: 'test', machine, log: quiet, lookMs: 20 });
  opened.push(hints);
  const heard: Hint[] = [];
  hints.subscribe((hint) => heard.push(hint));
  await hints.heard;
  const has = (count: number): Promise<void> =>
    vi.waitFor(() => expect(heard.length).toBeGreaterThanOrEqual(count), { timeout: 5000, interval: 5 });
  return { hints, heard, has };
}

it('tell every process of every machine once', async () => {
  const [here, there] = [localHints<Hint>(), localHints<Hint>()];
  const sides = await Promise.all([
    processOf('one', here),
    processOf('one', here),
    processOf('two', there),
    processOf('two', there),
  ]);
  const told: Hint[] = [
    { topic: 'cancel', id: 'a' },
    { topic: 'upload', id: 'b' },
    { topic: 'quarantine', fingerprint: 'c', until: 5 },
    { topic: 'abandoned', owner: 'd' },
    { topic: 'purge', source: MARK },
  ];
  for (const hint of told) sides[0].hints.publish(hint);
  sides[3].hints.publish({ topic: 'cancel', id: 'last' });
  await Promise.all(sides.map((side) => side.has(6)));
  for (const { heard } of sides) {
    expect(heard).toHaveLength(6);
    expect(heard).toEqual(expect.arrayContaining([...told, { topic: 'cancel', id: 'last' }]));
  }
});

it('keep on their machine what would be a storm', async () => {
  const one = await processOf('one', localHints());
  const two = await processOf('two', localHints());
  const local: Hint[] = [{ topic: 'work', lane: 'image' }, { topic: 'job', id: 'a' }, { topic: 'delivery' }];
  for (const hint of local) one.hints.publish(hint);
  one.hints.publish({ topic: 'cancel', id: 'last' });
  await Promise.all([one.has(4), two.has(1)]);
  expect(one.heard).toEqual([...local, { topic: 'cancel', id: 'last' }]);
  expect(two.heard).toEqual([{ topic: 'cancel', id: 'last' }]);
});

it('pass over what nobody knows, and outlive a listener that throws', async () => {
  const { hints, heard, has } = await processOf('one', localHints());
  const stop = hints.subscribe(() => {
    throw new Error('cannot');
  });
  const broken = [
    '',
    '{',
    'null',
    '[]',
    '{"from":"two"}',
    '{"from":"two","hint":{"topic":"of a newer version","id":"a"}}',
    '{"from":"two","hint":{"topic":"cancel","id":5}}',
    // It would become the name of a folder that is removed.
    '{"from":"two","hint":{"topic":"purge","source":"../../store"}}',
    `{"from":"two","hint":{"topic":"purge","source":"${MARK}/.."}}`,
    '{"from":"two","hint":{"topic":"quarantine","fingerprint":"c"}}',
    '{"from":"one","hint":{"topic":"cancel","id":"own"}}',
    '{"from":"two","hint":{"topic":"cancel","id":"a","of a newer version":true}}',
  ];
  for (const text of broken) await outside.publish(CHANNEL, text);
  await has(1);
  stop();
  await outside.publish(CHANNEL, `{"from":"two","hint":{"topic":"purge","source":"${MARK}"}}`);
  await has(2);
  expect(heard).toEqual([
    { topic: 'cancel', id: 'a' },
    { topic: 'purge', source: MARK },
  ]);
});

it('go on by themselves when Redis was away', async () => {
  const one = await processOf('one', localHints());
  const two = await processOf('two', localHints());
  await server.stop();
  one.hints.publish({ topic: 'cancel', id: 'of before' });
  await one.has(1);
  await server.start();
  await vi.waitFor(async () => {
    expect(await outside.pubsub('NUMSUB', CHANNEL)).toEqual([CHANNEL, 2]);
  });
  one.hints.publish({ topic: 'cancel', id: 'heard' });
  // The other may have waited for Redis too, or be lost.
  await vi.waitFor(() => expect(two.heard.at(-1)).toEqual({ topic: 'cancel', id: 'heard' }));
});

it('look anew for the primary when the one that they know has become a replica', async () => {
  const one = await processOf('one', localHints());
  const listener = async (): Promise<string | undefined> =>
    /^id=(\d+) .*name=mediamill-hints/m.exec(String(await outside.client('LIST')))?.[1];
  const first = await listener();
  expect(first).toBeDefined();
  await outside.replicaof('127.0.0.1', 1);
  await vi.waitFor(async () => {
    const now = await listener();
    expect(now !== undefined && now !== first).toBe(true);
  }, 5000);
  await outside.replicaof('NO', 'ONE');
  await vi.waitFor(async () => {
    await outside.publish(CHANNEL, '{"from":"two","hint":{"topic":"cancel","id":"a"}}');
    expect(one.heard).toContainEqual({ topic: 'cancel', id: 'a' });
  }, 5000);
});

it('are quiet when they are closed', async () => {
  const one = await processOf('one', localHints());
  await one.hints.close();
  await one.hints.close();
  expect(() => one.hints.publish({ topic: 'cancel', id: 'a' })).not.toThrow();
});
