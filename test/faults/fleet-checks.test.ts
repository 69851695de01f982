// That the round of the fleet would notice what it looks for, and that its links fail as links do.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Told } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { seededRandom } from '../support/random.ts';
import { verifyOrder, verifyStories } from './fleet-clients.ts';
import { openLink } from './fleet-link.ts';
import type { Link } from './fleet-link.ts';
import { planFaults } from './fleet-plan.ts';

const told = (...events: readonly (readonly [number, string, string])[]): Told[] =>
  events.map(([id, type, jobId]) => ({ id, type, data: { type, jobId } }));

describe('events', () => {
  it('must come in their order, each once, and none be missing', () => {
    expect(verifyOrder('a', told([1, 'queued', 'x'], [3, 'started', 'x'], [4, 'succeeded', 'x']))).toEqual(
      [],
    );
    expect(verifyOrder('a', told([2, 'queued', 'x'], [1, 'started', 'x']))).toHaveLength(1);
    expect(verifyOrder('a', told([2, 'queued', 'x'], [2, 'queued', 'x']))).toHaveLength(1);
    expect(verifyOrder('a', told([2, 'reset', 'x']))).toHaveLength(1);
  });

  it('must tell of each job from its beginning to its one end', () => {
    expect(
      verifyStories(told([1, 'queued', 'x'], [2, 'started', 'x'], [3, 'queued', 'y'], [4, 'succeeded', 'x'])),
    ).toEqual(['the events of y are queued']);
    expect(verifyStories(told([1, 'started', 'x'], [2, 'succeeded', 'x']))).toHaveLength(1);
    expect(verifyStories(told([1, 'queued', 'x'], [2, 'succeeded', 'x'], [3, 'failed', 'x']))).toHaveLength(
      1,
    );
    expect(verifyStories(told([1, 'queued', 'x'], [2, 'succeeded', 'x'], [3, 'started', 'x']))).toHaveLength(
      1,
    );
  });
});

it('faults are decided by the seed alone, and one of them may last', () => {
  const plan = (seed: number, long: boolean): unknown[] =>
    planFaults(seededRandom(seed), 6, 5, long).map(({ kind, host, afterMs, lastsMs }) => [
      kind,
      host,
      afterMs,
      lastsMs,
    ]);
  expect(plan(7, false)).toEqual(plan(7, false));
  expect(plan(7, false)).not.toEqual(plan(8, false));
  const lasting = planFaults(seededRandom(7), 6, 5, true).filter(({ lastsMs }) => lastsMs === 20_000);
  expect(lasting).toHaveLength(1);
});

describe('a link', () => {
  const heard: string[] = [];
  const echo = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      heard.push(bytes.toString());
      socket.write(bytes);
    });
  });
  let link: Link;
  beforeAll(async () => {
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    link = await openLink((echo.address() as AddressInfo).port);
  });
  afterAll(async () => {
    await link[Symbol.asyncDispose]();
    echo.close();
  });
  const dial = (): Socket => connect(link.port, '127.0.0.1').on('error', () => undefined);

  /** Also of one that was broken off, which `once` would reject. */
  const closed = (socket: Socket): Promise<void> =>
    new Promise((resolve) => socket.once('close', () => resolve()));

  it('passes bytes both ways, and an end', async () => {
    const socket = dial();
    socket.write('there and back');
    expect(String((await once(socket, 'data'))[0])).toBe('there and back');
    socket.end();
    await closed(socket);
  });

  it('that is cut breaks its connections and takes none, until it is mended', async () => {
    const before = dial();
    before.write('before');
    await once(before, 'data');
    link.cut();
    await closed(before);
    await closed(dial());
    link.heal();
    const after = dial();
    after.write('after');
    expect(String((await once(after, 'data'))[0])).toBe('after');
    after.destroy();
  });

  it('that stalls holds what was sent, and brings it late, also if its sender has left', async () => {
    link.stall();
    const left = dial();
    left.end('late');
    await once(left, 'finish');
    left.destroy();
    const waiting = dial();
    waiting.write('held');
    const answered = once(waiting, 'data');
    expect(heard).not.toContain('held');
    link.heal();
    expect(String((await answered)[0])).toBe('held');
    await eventually('what came late', () => heard.includes('late'));
    waiting.destroy();
  });
});
