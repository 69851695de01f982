// Two servers on one folder. With hints of their own they are as two of which one is paused: it hears nothing.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Hint } from '../../src/contracts.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { eventually } from '../support/eventually.ts';
import { startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { blobBytes } from '../support/stored.ts';
import { create, offsetOf, openPatch, patch } from '../support/tus.ts';

const FILM = Buffer.concat([
  Buffer.from('1a45dfa3a34286844282886d6174726f736b61', 'hex'),
  randomBytes(3_000_000),
]);
const HALF = 1_000_000;

describe.each([
  ['that hear each other', true],
  ['of which one is deaf', false],
])('two processes %s', (_which, shared) => {
  let folder: string;
  let servers: readonly [TestServer, TestServer];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mediamill-two-'));
    const hints = localHints<Hint>();
    const start = (): Promise<TestServer> =>
      startTestServer({}, { dataDir: folder, hints: shared ? hints : localHints<Hint>() });
    servers = [await start(), await start()];
  });
  afterAll(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });
  const blobOf = (path: string): Promise<Buffer> => blobBytes(folder, `uploads/${path.split('/').at(-1)}`);

  it('never mix what two writers send', async () => {
    const [one, two] = servers;
    const path = await create(one.url, { 'upload-length': String(FILM.length) });
    const { outgoing, answer } = openPatch(one.url, path, 0, FILM.length);
    outgoing.write(FILM.subarray(0, HALF));
    // So that some of it counts for certain: a writer tells what it has from time to time.
    let sent = HALF;
    await eventually('that bytes came', async () => {
      outgoing.write(FILM.subarray(sent, ++sent));
      const view = (await (await two.request(path)).json()) as { offset: number };
      return shared || view.offset > 0;
    });
    const at = await offsetOf(two.url, path);
    if (!shared) expect(at).toBeGreaterThan(0);
    // Whoever was left behind sends on, and other bytes at that.
    outgoing.write(Buffer.alloc(100_000, 'x'));
    expect((await patch(two.url, path, at, FILM.subarray(at))).status).toBe(204);
    // Who hears nothing learns it when it writes down what it has: a store does so every few seconds.
    let isAnswered = false;
    const left = answer.catch(() => undefined).finally(() => (isAnswered = true));
    await eventually('the end of who was left behind', () => {
      if (outgoing.writable) outgoing.write('yyy');
      return isAnswered;
    });
    outgoing.destroy();
    const status = (await left)?.status ?? 423;
    expect(status).toBe(423);
    expect(await offsetOf(one.url, path)).toBe(FILM.length);
    expect((await blobOf(path)).equals(FILM)).toBe(true);
  });

  it.runIf(shared)('let one of two go on that come at the same time', async () => {
    const [one, two] = servers;
    const path = await create(one.url, { 'upload-length': String(FILM.length) });
    const answers = await Promise.all([
      patch(one.url, path, 0, FILM),
      patch(two.url, path, 0, FILM),
      patch(one.url, path, 0, FILM),
      patch(two.url, path, 0, FILM),
    ]);
    // Whoever wins may have been ended by the next; nobody may have done harm.
    expect(answers.every(({ status }) => [204, 409, 413, 423].includes(status))).toBe(true);
    let at = await offsetOf(two.url, path);
    if (at < FILM.length) {
      expect((await patch(one.url, path, at, FILM.subarray(at))).status).toBe(204);
      at = FILM.length;
    }
    expect((await blobOf(path)).equals(FILM)).toBe(true);
  });
});
