// What is fetched for jobs counts as bytes of the day, whether a job comes to its end or not.

import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { accountOf } from '../../src/access/accounts.ts';
import type { JobView } from '../../src/jobs/job-view.ts';
import { openMeters } from '../../src/registers/open.ts';
import { eventually } from '../support/eventually.ts';
import { imageFixture } from '../support/fixtures.ts';
import { startHttps } from '../support/https-server.ts';
import type { HttpsServer } from '../support/https-server.ts';
import { problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const MOST = 1_000_000;
/** Of all that is announced. */
const LENGTH = 900_000;

let origin: HttpsServer;
let photo: Buffer;
let answer: (response: ServerResponse) => void;

beforeAll(async () => {
  photo = await imageFixture({ width: 60, height: 40 });
  origin = await startHttps((_request, response) => answer(response));
});
afterAll(() => origin[Symbol.asyncDispose]());

const start = (): Promise<TestServer> =>
  startTestServer(
    {
      REMOTE_SOURCES: `localhost:${origin.port}`,
      TENANT_BYTES_PER_DAY: String(MOST),
      JOB_ATTEMPTS: '1',
    },
    { remote: { isAddressAllowed: () => true, ca: origin.ca } },
  );
const recipe = { outputs: { small: { type: 'image', steps: [], format: 'webp' } } };
const order = (server: TestServer): Promise<Response> =>
  server.request('/v1/jobs', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ source: { url: `${origin.origin}/a.jpg` }, recipe }),
  });
async function ordered(server: TestServer): Promise<JobView> {
  const response = await order(server);
  expect(response.status).toBe(202);
  return (await response.json()) as JobView;
}
async function spent(server: TestServer): Promise<number> {
  const meters = await openMeters(server.config);
  const bytes = await meters.spent(accountOf('bytes', 'default', Date.now()).name);
  await meters.close();
  return bytes;
}
const nearlyAll = (server: TestServer, { id }: { id: string }): Promise<unknown> =>
  eventually('nearly all of it is here', async () => {
    const job = (await (await server.request(`/v1/jobs/${id}`)).json()) as JobView;
    return job.progress > 0.99;
  });
/** A picture with more behind it than it needs. */
const padded = (bytes: number): Buffer => Buffer.concat([photo, Buffer.alloc(bytes - photo.length)]);

it('is charged where the host breaks off, and refused at the door when the day is full', async () => {
  await using server = await start();
  let breakOff = (): void => undefined;
  answer = (response) => {
    response.writeHead(200, { 'content-length': LENGTH });
    response.write(padded(LENGTH - 1000));
    breakOff = () => response.destroy();
  };
  const broken = await ordered(server);
  await nearlyAll(server, broken);
  breakOff();
  expect(await server.finished(broken)).toMatchObject({
    status: 'failed',
    problem: { code: 'source_unavailable' },
  });
  await eventually('it is charged', async () => (await spent(server)) >= LENGTH - 1000);
  // Breaks off past the limit, though its host would go on.
  answer = (response) => response.end(padded(2 * MOST));
  const second = await server.finished(await ordered(server));
  expect(second).toMatchObject({ status: 'failed', attempt: 1, problem: { code: 'quota_exceeded' } });
  const asked = origin.asked.length;
  // It has no body that could be counted.
  const source = encodeURIComponent(`${origin.origin}/a.mp4`);
  const refused = await server.request(`/v1/videos?source=${source}`, { method: 'POST' });
  expect(refused.headers.has('retry-after')).toBe(true);
  expect(await problemOf(refused)).toMatchObject({ code: 'quota_exceeded', status: 429 });
  expect(origin.asked).toHaveLength(asked);
});

it('is charged where the job is removed meanwhile', async () => {
  await using server = await start();
  const gone = Promise.withResolvers<void>();
  answer = (response) => {
    response.once('close', () => gone.resolve());
    response.writeHead(200, { 'content-length': LENGTH });
    response.write(padded(LENGTH - 1000));
  };
  const { id } = await ordered(server);
  await nearlyAll(server, { id });
  expect((await server.request(`/v1/jobs/${id}`, { method: 'DELETE' })).status).toBe(204);
  await gone.promise;
  await eventually('it is charged', async () => (await spent(server)) >= LENGTH - 1000);
});

it('is charged once where all goes well', async () => {
  await using server = await start();
  answer = (response) => response.end(padded(LENGTH));
  const before = await spent(server);
  expect(await server.finished(await ordered(server))).toMatchObject({ status: 'succeeded' });
  // The order itself has a body, of some hundred bytes.
  const used = (await spent(server)) - before;
  expect(used).toBeGreaterThanOrEqual(LENGTH);
  expect(used).toBeLessThan(LENGTH + 1000);
});
