// Two machines of a fleet, each with a cache of renditions of its own: what one is told to forget, the other forgets too.

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { imageFixture } from '../support/fixtures.ts';
import { startRedis } from '../support/redis.ts';
import { startS3 } from '../support/s3.ts';
import { form, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const stack = new AsyncDisposableStack();
let shared: Record<string, string>;
let picture: Buffer;
let one: TestServer;
let two: TestServer;

beforeAll(async () => {
  // Before a server is in this process, which lets nobody read SVG any more.
  picture = await imageFixture({ width: 40, height: 30 });
  const redis = stack.use(await startRedis());
  const s3 = stack.use(await startS3());
  shared = { QUEUE: 'bullmq', REDIS_URL: redis.url, ...s3.settings(), URL_UNSIGNED: 'true' };
  one = stack.use(await startTestServer(shared));
  two = stack.use(await startTestServer(shared));
});
afterAll(() => stack.disposeAsync());

/** The address of a rendition of an upload that is just made. */
async function uploaded(): Promise<{ id: string; rendition: string }> {
  const body = form(Uint8Array.from(picture));
  const answer = await one.request('/v1/uploads', { method: 'POST', body });
  const { id } = (await answer.json()) as { id: string };
  return { id, rendition: `/v1/images/unsigned/width=20/upload:${id}` };
}
const statusOf = async (server: TestServer, path: string): Promise<number> => {
  const answer = await server.request(path);
  await answer.arrayBuffer();
  return answer.status;
};

it('an upload that is removed at one machine is shown by none', async () => {
  const { id, rendition } = await uploaded();
  expect([await statusOf(one, rendition), await statusOf(two, rendition)]).toEqual([200, 200]);
  expect((await one.request(`/v1/uploads/${id}`, { method: 'DELETE' })).status).toBe(204);
  expect(await statusOf(one, rendition)).toBe(404);
  await eventually('the other has forgotten it', async () => (await statusOf(two, rendition)) === 404);
});

it('npm run purge reaches machines that it does not run on', async () => {
  const { id, rendition } = await uploaded();
  expect([await statusOf(one, rendition), await statusOf(two, rendition)]).toEqual([200, 200]);
  const statusIn = async (server: TestServer): Promise<string> => {
    const answer = await server.request(rendition);
    await answer.arrayBuffer();
    return answer.headers.get('cache-status') ?? '';
  };
  expect([await statusIn(one), await statusIn(two)]).toEqual(['mediamill; hit', 'mediamill; hit']);
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-purge-'));
  await promisify(execFile)(process.execPath, ['scripts/purge.ts', `upload:${id}`], {
    cwd: resolve(import.meta.dirname, '../..'),
    env: { PATH: process.env['PATH'], DATA_DIR: folder, ...shared },
  });
  await rm(folder, { recursive: true });
  for (const server of [one, two]) {
    // Asked once: asking makes it anew.
    await eventually('it looks into the log', async () => /miss/.test(await statusIn(server)));
  }
});
