// A film over several machines, as programs of their own on one Redis and one S3: one that shares it, others that do its chunks.

import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NoHelp } from '../../src/contracts.ts';
import { folderShelf, frameTimes } from '../engines/chunk-fixtures.ts';
import {
  AAC,
  ASK_THE_REAL,
  content,
  engine,
  ffmpeg,
  folder,
  H264,
  produce,
  script,
} from '../engines/video-fixtures.ts';
import type { Folder } from '../engines/video-fixtures.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import { call } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { finishedJob } from '../support/jobs.ts';
import { isAlive } from '../support/processes.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { startS3 } from '../support/s3.ts';
import type { TestS3 } from '../support/s3.ts';

const SECONDS = 40;
const WEBM = { type: 'transcode', format: 'webm', height: 36, effort: 'fast', crf: 50 };

let place: Folder;
let redis: TestRedis;
let s3: TestS3;
let source: string;
/** A hash of all frames and samples that one machine makes. */
let alone: string;

beforeAll(async () => {
  [place, redis, s3] = await Promise.all([folder(), startRedis(), startS3()]);
  source = place.join('source.mp4');
  await ffmpeg(
    ...['-f', 'lavfi', '-i', `testsrc2=size=128x72:rate=6:duration=${SECONDS}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:duration=${SECONDS}:sample_rate=48000`],
    ...[...H264, '-bf', '2', '-g', '100', ...AAC, source],
  );
  const nobody = async (): Promise<never> => {
    throw new NoHelp('nobody is there');
  };
  const options = { chunks: await folderShelf(place.join('alone')), share: nobody };
  const made = await produce(engine(), place, source, { video: WEBM }, options);
  alone = await content(made.files['video']?.path ?? '');
});
afterAll(async () => {
  await s3[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

function machineOf(common: Readonly<Record<string, string>>) {
  return (env: Readonly<Record<string, string>>): Promise<Program> =>
    startProgram({ ...common, PROCESSES: '1', JOB_LEASE_SECONDS: '2', ...env });
}

/** Notes each chunk that this machine begins, and does with it as `then` says. */
async function recording(
  name: string,
  then: string,
): Promise<{ path: string; begun: () => Promise<string[]> }> {
  const notes = place.join(`${name}.txt`);
  await writeFile(notes, '');
  const path = await script(
    place.join(name),
    `${ASK_THE_REAL}\ncase "$*" in */chunks-[0-9]/*.mp4) echo "$*" | sed 's|.*/chunks-|chunks-|' >> '${notes}'; ${then};; esac\nexec ffmpeg "$@"`,
  );
  return { path, begun: async () => (await readFile(notes, 'utf8')).split('\n').slice(0, -1) };
}

async function send(to: Program): Promise<string> {
  const form = new FormData();
  form.set('file', new Blob([await readFile(source)], { type: 'video/mp4' }), 'source.mp4');
  form.set('recipe', JSON.stringify({ outputs: { video: WEBM } }));
  const sent = await fetch(new URL('/v1/jobs', to.address), { method: 'POST', body: form });
  expect(sent.status).toBe(202);
  return ((await sent.json()) as { id: string }).id;
}

describe('a film whose chunks two machines make, of which one is killed', () => {
  it('is made up for, assembled once, and the same to the bit', async () => {
    const start = machineOf({
      QUEUE: 'bullmq',
      REDIS_URL: redis.url,
      REDIS_PREFIX: 'film',
      ...s3.settings(),
    });
    const stuck = await recording('stuck-ffmpeg', 'exec sleep 600');
    const busy = await recording('busy-ffmpeg', ':');
    await using web = await start({ LANES: 'image,video,film,fetch' });
    await using doomed = await start({
      ROLES: 'work',
      LANES: 'chunk',
      CHUNK_SLOTS: '1',
      FFMPEG_PATH: stuck.path,
    });
    const id = await send(web);
    await eventually('a chunk has begun', async () => (await stuck.begun()).length === 1, {
      timeoutMs: 20_000,
    });
    await using other = await start({
      ROLES: 'work',
      LANES: 'chunk',
      CHUNK_SLOTS: '1',
      FFMPEG_PATH: busy.path,
    });
    doomed.kill('SIGKILL');
    const job = await finishedJob(web.address, id);
    expect(job).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect((await busy.begun()).toSorted()).toHaveLength(4);
    expect((await stuck.begun()).length).toBe(1);
    const result = await call(web.address, `/v1/jobs/${id}/outputs/video`);
    const path = place.join('result.webm');
    await writeFile(path, result.body);
    expect(await frameTimes(path)).toHaveLength(6 * SECONDS);
    expect(await content(path)).toBe(alone);
    const warnings = [...web.log, ...other.log].filter(({ level }) => level >= 50);
    expect(warnings).toEqual([]);
  }, 60_000);
});

describe('a film that is cancelled', () => {
  it('is stopped on every machine, and nothing of it is left', async () => {
    const settings = s3.settings('cancelled/');
    const start = machineOf({
      QUEUE: 'bullmq',
      REDIS_URL: redis.url,
      REDIS_PREFIX: 'cancelled',
      ...settings,
    });
    const stuck = await recording('cancelled-ffmpeg', `echo $$ > '${place.join('pid')}'; exec sleep 600`);
    await using web = await start({ LANES: 'image,video,film,fetch' });
    await using worker = await start({
      ...{ ROLES: 'work', LANES: 'chunk', CHUNK_SLOTS: '1' },
      FFMPEG_PATH: stuck.path,
    });
    const id = await send(web);
    await eventually('a chunk has begun', async () => (await stuck.begun()).length === 1, {
      timeoutMs: 20_000,
    });
    const pid = Number(
      await eventually('its pid', () => readFile(place.join('pid'), 'utf8').catch(() => '')),
    );
    expect(isAlive(pid)).toBe(true);
    await call(web.address, `/v1/jobs/${id}/cancel`, { method: 'POST' });
    await eventually('its FFmpeg is gone', () => !isAlive(pid));
    expect(await finishedJob(web.address, id)).toMatchObject({ status: 'cancelled' });
    const client = connectRedis({ url: redis.url, name: 'test', log: { warn: () => undefined } });
    await eventually(
      'no part is left',
      async () => (await client.keys(`{cancelled}:bull:*${id}*`)).length === 0,
    );
    client.disconnect();
    expect((await stuck.begun()).length).toBe(1);
    expect([...web.log, ...worker.log].filter(({ level }) => level >= 50)).toEqual([]);
  }, 60_000);
});
