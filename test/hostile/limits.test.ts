// The limits, met by real connections: too large, too slow, too many. The client always gets to read the answer.

import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, form } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { jobIn } from '../support/jobs.ts';
import { expectProblem } from '../support/problem-check.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';
import { blobsOf } from '../support/stored.ts';

describe('an upload past its limit', () => {
  const limit = { image: 100_000, video: 300_000 };
  let program: Program;
  let bodies: { image: Buffer; video: Buffer };
  beforeAll(async () => {
    program = await startProgram({
      IMAGE_MAX_BYTES: String(limit.image),
      VIDEO_MAX_BYTES: String(limit.video),
    });
    const film = await readFile(await clipFixture({ seconds: 2, width: 640, height: 360, grain: true }));
    const picture = await imageFixture({ width: 800, height: 600, quality: 95, grain: 40 });
    // More than the buffers of two sockets hold: the client is still sending when the answer comes.
    const more = Buffer.alloc(20_000_000);
    bodies = { image: Buffer.concat([picture, more]), video: Buffer.concat([film, more]) };
    expect(film.length).toBeGreaterThan(limit.video);
  });
  afterAll(() => program?.[Symbol.asyncDispose]());

  async function* inPieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += 16_384) {
      yield bytes.subarray(at, at + 16_384);
      await sleep(0);
    }
  }

  const paths = [
    ['/v1/images?width=8', 'image', {}],
    ['/v1/images?width=8', 'image', { prefer: 'respond-async' }],
    ['/v1/videos', 'video', {}],
  ] as const;
  const ways = [
    ['raw', 'announced'],
    ['raw', 'chunked'],
    ['form', 'announced'],
    ['form', 'chunked'],
  ] as const;
  const cases = paths.flatMap(([path, kind, headers]) =>
    ways.map((way) => [path, ...way, kind, headers] as const),
  );
  it.each(cases)(
    '%s %s %s is refused with 413, and the answer can be read',
    async (path, shape, how, kind, headers) => {
      const content = bodies[kind];
      const sent =
        shape === 'raw' ? { body: content, headers: {} } : form([{ name: 'file', filename: 'a', content }]);
      const answer = await call(program.address, path, {
        method: 'POST',
        headers: { ...headers, ...sent.headers },
        body: how === 'announced' ? sent.body : inPieces(sent.body),
      });
      expect(answer.status).toBe(413);
      expect(expectProblem(answer, 'payload_too_large').detail).toContain(String(limit[kind]));
    },
  );

  it('is announced as gigabytes and refused before a byte of it is read', async () => {
    const outgoing = request(new URL('/v1/videos', program.address), {
      method: 'POST',
      headers: { 'content-length': String(50e9) },
      agent: false,
    });
    outgoing.on('error', () => undefined);
    outgoing.flushHeaders();
    const [answer] = await once(outgoing, 'response');
    expect(answer.statusCode).toBe(413);
    expect(JSON.parse(await text(answer))).toMatchObject({ code: 'payload_too_large' });
    outgoing.destroy();
  });

  it.each(['/v1/images?width=8', '/v1/videos'])('to %s is never answered with a reset', async (path) => {
    const body = Buffer.alloc(26_000_000);
    for (let i = 0; i < 15; i++) {
      const answer = await call(program.address, path, { method: 'POST', body });
      expect(answer.status).toBe(413);
    }
  });

  it('leaves nothing behind', async () => {
    await eventually('the store is empty', async () => (await filesIn(program, 'store')).length === 0);
  });
});

describe('a slow upload', () => {
  let program: Program;
  beforeAll(async () => {
    program = await startProgram({ REQUEST_TIMEOUT_SECONDS: '1', MIN_UPLOAD_RATE: '100000' });
  });
  afterAll(() => program?.[Symbol.asyncDispose]());

  // Three that wait for their time to pass, at once.
  it.concurrent.each(['/v1/images?width=8', '/v1/videos'])('to %s is given up with 408', async (path) => {
    const outgoing = request(new URL(path, program.address), {
      method: 'POST',
      headers: { 'content-length': '1000000' },
      agent: false,
    });
    outgoing.on('error', () => undefined);
    const drip = setInterval(() => outgoing.write(Buffer.alloc(100)), 100);
    try {
      const [answer] = await once(outgoing, 'response');
      expect(answer.statusCode).toBe(408);
      expect(JSON.parse(await text(answer))).toMatchObject({ code: 'request_timeout' });
    } finally {
      clearInterval(drip);
      outgoing.destroy();
    }
  });

  it.concurrent('that keeps the rate is taken, however long it lasts', async () => {
    const picture = await imageFixture({ width: 1200, height: 900, quality: 95, grain: 60 });
    async function* steadily(): AsyncGenerator<Uint8Array> {
      const piece = Math.ceil(picture.length / 12);
      for (let at = 0; at < picture.length; at += piece) {
        yield picture.subarray(at, at + piece);
        await sleep(250);
      }
    }
    expect(picture.length / 3).toBeGreaterThan(150_000);
    const answer = await call(program.address, '/v1/images?width=8', { method: 'POST', body: steadily() });
    expect(answer.status).toBe(200);
  });

  it('leaves no file behind', async () => {
    await eventually('the store is empty', async () => (await filesIn(program, 'store')).length === 0);
  });
});

describe('more images than can wait', () => {
  it.each(['0', '2'])(
    'with a queue of %s are refused at once with Retry-After; the others are made',
    async (queue) => {
      await using program = await startProgram({ PROCESSES: '1', IMAGE_THREADS: '1', IMAGE_QUEUE: queue });
      const picture = await imageFixture({ width: 2000, height: 1500 });
      const answers = await Promise.all(
        Array.from({ length: 12 }, () =>
          call(program.address, '/v1/images?format=webp', { method: 'POST', body: picture }),
        ),
      );
      const made = answers.filter(({ status }) => status === 200);
      const refused = answers.filter(({ status }) => status === 503);
      expect(made.length + refused.length).toBe(answers.length);
      expect(made.length).toBeGreaterThan(0);
      expect(refused.length).toBeGreaterThan(0);
      for (const answer of refused) {
        expectProblem(answer, 'overloaded');
        expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      }
      const later = await call(program.address, '/v1/images?width=8', { method: 'POST', body: picture });
      expect(later.status).toBe(200);
    },
  );
});

describe('more jobs than can wait', () => {
  it('are refused with Retry-After; those that were taken end', async () => {
    await using program = await startProgram({ JOB_QUEUE: '2', VIDEO_SLOTS: '1' });
    const film = await readFile(
      await clipFixture({ seconds: 1, width: 320, height: 240, codecs: 'old', container: 'avi' }),
    );
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        call(program.address, '/v1/videos?poster=false', { method: 'POST', body: film }),
      ),
    );
    const taken = answers.filter(({ status }) => status === 202);
    const refused = answers.filter(({ status }) => status === 503);
    expect(taken.length + refused.length).toBe(answers.length);
    expect(taken.length).toBeGreaterThanOrEqual(2);
    expect(refused.length).toBeGreaterThan(0);
    for (const answer of refused) {
      expectProblem(answer, 'overloaded');
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    }
    for (const answer of taken) {
      const { id } = jobIn(answer);
      const job = await call(program.address, `/v1/jobs/${id}?wait=30`);
      expect(job.json()).toMatchObject({ status: 'succeeded' });
    }
    await eventually(
      'no source is kept',
      async () => (await blobsOf(program.dataDir, 'sources/')).length === 0,
    );
  });
});

async function filesIn({ dataDir }: Program, folder: string): Promise<string[]> {
  const entries = await readdir(join(dataDir, folder), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
