// A child's standard output as a stream: nothing is lost, nothing is kept, and a stop always ends it.

import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { runChild } from '../../src/engines/child.ts';
import type { ChildEnd } from '../../src/engines/child.ts';
import { eventually } from '../support/eventually.ts';

function start(script: string, signal = new AbortController().signal) {
  // Takes one piece and no more until it is read.
  const body = new PassThrough({ highWaterMark: 1 });
  const ended = runChild({
    command: { program: 'sh', args: ['-c', script] },
    signal,
    timeoutMs: 60_000,
    onStdout: (stdout) => void stdout.pipe(body),
  });
  return { ended, body };
}

it('waits for a late reader, and loses nothing', async () => {
  let end: ChildEnd | null = null;
  const { ended, body } = start('head -c 1000000 /dev/zero; exit 3');
  const settled = ended.then((value) => (end = value));
  await eventually('the first bytes are here', () => body.readableLength > 0);
  expect(end).toBeNull();
  expect((await buffer(body)).length).toBe(1_000_000);
  expect(await settled).toMatchObject({ code: 3, stopped: null });
});

it('ends by a stop although nobody reads', async () => {
  const stop = new AbortController();
  const { ended, body } = start('cat /dev/zero', stop.signal);
  await eventually('the first bytes are here', () => body.readableLength > 0);
  stop.abort();
  expect(await ended).toMatchObject({ signal: 'SIGKILL', stopped: 'aborted' });
});
