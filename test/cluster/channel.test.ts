// Sending between the primary and a process, whatever the other side does; and the hint bus on top of it.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { channelSender } from '../../src/cluster/channel.ts';
import type { ChannelEnd } from '../../src/cluster/channel.ts';
import { ipcHints } from '../../src/cluster/hints.ts';
import type { Hint } from '../../src/contracts.ts';

const hint: Hint = { topic: 'job', id: 'one' };

/** A channel whose other side does not read until `flush`. */
function stalled() {
  const waiting: ((error: Error | null) => void)[] = [];
  const end: ChannelEnd = {
    connected: true,
    send: (_message, _handle, _options, callback) => waiting.push(callback) < 10,
  };
  const flush = (error: Error | null = null): void => {
    for (const callback of waiting.splice(0)) callback(error);
  };
  return { end, waiting, flush };
}

test('hints are dropped while the other side does not read, commands are not', () => {
  const { end, waiting, flush } = stalled();
  const send = channelSender(end);
  for (let count = 0; count < 5000; count += 1) send({ type: 'hint', hint });
  expect(waiting).toHaveLength(1000);
  send({ type: 'drain', deadline: 0, why: 'stop' });
  expect(waiting).toHaveLength(1001);
  flush();
  send({ type: 'hint', hint });
  expect(waiting).toHaveLength(1);
});

test('a failed send is nobody’s error', () => {
  const { end, flush } = stalled();
  const send = channelSender(end);
  send({ type: 'overrun' });
  flush(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  send({ type: 'overrun' });
});

test('nothing is sent over a channel that is not there', () => {
  channelSender({ connected: true })({ type: 'overrun' });
  channelSender({
    connected: false,
    send: () => expect.fail('sent all the same'),
  })({ type: 'overrun' });
});

test('sending to a child that is being killed raises nothing', async () => {
  const child = fork('--eval', ['process.on("message", () => {})'], { execArgv: [] });
  const errors: unknown[] = [];
  child.on('error', (error) => errors.push(error));
  const send = channelSender(child);
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  while (child.exitCode === null && child.signalCode === null) {
    send({ type: 'overrun' });
    await new Promise((resolve) => setImmediate(resolve));
  }
  await exit;
  send({ type: 'overrun' });
  await new Promise((resolve) => setImmediate(resolve));
  expect(errors).toEqual([]);
});

test('a published hint reaches the own listeners and the primary, each once', async () => {
  const sent: Hint[] = [];
  const heard: Hint[] = [];
  const hints = ipcHints((one) => sent.push(one));
  const unsubscribe = hints.subscribe((one) => heard.push(one));
  hints.publish(hint);
  // Not inside the publisher, who may be in the middle of something.
  expect(heard).toEqual([]);
  await Promise.resolve();
  expect(heard).toEqual([hint]);
  expect(sent).toEqual([hint]);
  unsubscribe();
  hints.publish(hint);
  await Promise.resolve();
  expect(heard).toEqual([hint]);
});

test('a hint from outside is not sent back', async () => {
  const sent: Hint[] = [];
  const heard: Hint[] = [];
  const hints = ipcHints((one) => sent.push(one));
  hints.subscribe((one) => heard.push(one));
  hints.deliver(hint);
  await Promise.resolve();
  expect(heard).toEqual([hint]);
  expect(sent).toEqual([]);
});
