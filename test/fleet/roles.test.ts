// Real programs on one Redis and one S3: one answers HTTP, others work; for a client they are one server.

import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { call } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { finishedJob, getJob, jobIn } from '../support/jobs.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { startS3Process } from '../support/s3-process.ts';
import type { S3Process } from '../support/s3-process.ts';

const stack = new AsyncDisposableStack();
let redis: TestRedis;
let s3: S3Process;
let shared: Record<string, string>;
let web: Program;
let images: Program;

beforeAll(async () => {
  redis = stack.use(await startRedis());
  s3 = stack.use(await startS3Process());
  shared = { QUEUE: 'bullmq', REDIS_URL: redis.url, ...s3.settings(), PROCESSES: '1', ADMIN_PORT: '0' };
  [web, images] = await Promise.all([
    startProgram({ ...shared, ROLES: 'web' }),
    startProgram({ ...shared, ROLES: 'work', LANES: 'image,fetch' }),
  ]);
  stack.use(web);
  stack.use(images);
}, 90_000);
afterAll(() => stack.disposeAsync(), 30_000);

const serving = ({ log }: Program) => log.find(({ msg }) => msg === 'serving');
const adminOf = ({ log }: Program): string => String(log.find(({ msg }) => msg === 'metrics')?.['address']);
const health = async (address: string, path: string) => {
  const answer = await call(address, path);
  return { status: answer.status, body: answer.json() as Record<string, unknown> };
};
const sendImage = async (headers: Record<string, string> = { prefer: 'respond-async' }) =>
  call(web.address, '/v1/images?width=100&format=webp', {
    method: 'POST',
    headers,
    body: await imageFixture({ width: 400, height: 300 }),
  });
const sendVideo = async (query: string, seconds = 1) =>
  call(web.address, `/v1/videos?${query}`, {
    method: 'POST',
    body: await readFile(await clipFixture({ seconds, width: 320, height: 240, codecs: 'old' })),
  });

it('each says what it does; one that only works opens no port', async () => {
  expect(serving(web)).toMatchObject({ roles: ['web'], lanes: [] });
  for (const slots of ['videoSlots', 'filmSlots']) expect(serving(web)).not.toHaveProperty(slots);
  expect(serving(images)).toMatchObject({ roles: ['work'], lanes: ['image', 'fetch'] });
  expect(serving(images)).not.toHaveProperty('address');
  expect((await health(adminOf(images), '/livez')).status).toBe(200);
  expect(await health(adminOf(images), '/readyz')).toMatchObject({
    status: 200,
    body: { status: 'ready', serving: 1 },
  });
  expect(await health(web.address, '/v1/machine')).toMatchObject({ body: { roles: ['web'], lanes: [] } });
});

it('a job is taken by the one, worked on by the other, and fetched from the first', async () => {
  const sent = await sendImage();
  expect(sent.status).toBe(202);
  const job = await finishedJob(web.address, jobIn(sent).id);
  expect(job.status).toBe('succeeded');
  for (const msg of ['job begun', 'job ended']) {
    await eventually(`${msg} is logged`, () => images.log.some((line) => line.msg === msg));
    expect(images.log.find((line) => line.msg === msg)).toMatchObject({
      jobId: job.id,
      hostname: hostname(),
    });
  }
  const { url } = Object.values(job.outputs)[0] ?? {};
  const answer = await call(web.address, String(url));
  expect(answer.headers['content-type']).toBe('image/webp');
  expect(answer.body.subarray(8, 12).toString()).toBe('WEBP');
});

it('an image by POST is made where it is asked for', async () => {
  const answer = await sendImage({});
  expect(answer.status).toBe(200);
});

it('a lane that nobody works on waits; a job of it can be cancelled, and one goes on when somebody comes', async () => {
  const [left, kept] = [
    jobIn(await sendVideo('format=mp4')),
    jobIn(await sendVideo('format=mp4&height=120')),
  ];
  const image = jobIn(await sendImage());
  expect((await finishedJob(web.address, image.id)).status).toBe('succeeded');
  expect((await getJob(web.address, kept.id)).status).toBe('queued');
  const cancelled = await call(web.address, `/v1/jobs/${left.id}/cancel`, { method: 'POST' });
  expect(jobIn(cancelled).status).toBe('cancelled');

  await using videos = await startProgram({ ...shared, ROLES: 'work', LANES: 'video,film' });
  expect((await finishedJob(web.address, kept.id)).status).toBe('succeeded');
  expect((await getJob(web.address, left.id)).status).toBe('cancelled');

  // One that runs there is cancelled from here.
  const long = jobIn(await sendVideo('format=webm', 30));
  await eventually('it runs', async () => (await getJob(web.address, long.id)).status === 'running');
  await call(web.address, `/v1/jobs/${long.id}/cancel`, { method: 'POST' });
  expect((await finishedJob(web.address, long.id)).status).toBe('cancelled');
  expect(await videos.stop()).toMatchObject({ code: 0 });
}, 90_000);

it('all say how the lanes stand, and each how much of them it does', async () => {
  const figures = async (program: Program) => {
    const text = (await call(adminOf(program), '/metrics')).body.toString();
    const of = (name: string): string | undefined =>
      text.split('\n').find((line) => line.startsWith(`${name} `));
    return {
      jobs: of('mediamill_jobs{status="succeeded"}'),
      slots: of('mediamill_lane_slots{lane="image"}')?.split(' ').at(-1),
      redis: of('mediamill_redis_up'),
    };
  };
  const [ofWeb, ofImages] = [await figures(web), await figures(images)];
  expect(ofWeb.jobs).toMatch(/ [1-9]\d*$/);
  expect(ofImages.jobs).toBe(ofWeb.jobs);
  expect(ofWeb).toMatchObject({ slots: '0', redis: 'mediamill_redis_up 1' });
  expect(Number(ofImages.slots)).toBeGreaterThan(0);
});

it('without S3 images are made and jobs are refused; they are taken again when it is back', async () => {
  await s3.stop();
  try {
    expect((await sendImage({})).status).toBe(200);
    expect((await health(web.address, '/readyz')).status).toBe(200);
    const refused = await sendImage();
    expect(refused.status).toBe(503);
    expect(refused.json()).toMatchObject({ code: 'backend_unavailable' });
  } finally {
    await s3.start();
  }
  const sent = await sendImage();
  expect(sent.status).toBe(202);
  expect((await finishedJob(web.address, jobIn(sent).id)).status).toBe('succeeded');
});

it('without Redis images are made, jobs are refused, workers are not ready; all of it heals by itself', async () => {
  await redis.stop();
  try {
    const state = await eventually('the web server has noticed', async () => {
      const { status, body } = await health(web.address, '/readyz');
      return (body['checks'] as { queue: { ok: boolean } }).queue.ok ? undefined : { status, body };
    });
    expect(state).toMatchObject({ status: 200, body: { status: 'ready' } });
    expect((await sendImage({})).status).toBe(200);
    const refused = await sendImage();
    expect(refused.status).toBe(503);
    expect(refused.json()).toMatchObject({ code: 'backend_unavailable' });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    await eventually(
      'the worker is not ready',
      async () => (await health(adminOf(images), '/readyz')).status === 503,
    );
    // One that only works has no other page.
    expect((await health(adminOf(images), '/readyz')).body).toMatchObject({
      ...{ status: 'not_ready', serving: 1, ready: 0 },
      checks: { queue: { ok: false, detail: expect.stringContaining('Redis cannot be reached') } },
    });
    expect((await health(adminOf(images), '/livez')).status).toBe(200);
  } finally {
    await redis.start();
  }
  await eventually('the worker is ready again', async () => {
    return (await health(adminOf(images), '/readyz')).status === 200;
  });
  await eventually('jobs are taken', async () => {
    const sent = await sendImage();
    return sent.status === 202 && (await finishedJob(web.address, jobIn(sent).id)).status === 'succeeded';
  });
}, 60_000);
