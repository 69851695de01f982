import { fastify } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { createWriteStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ANYBODY } from '../../src/access/caller.ts';
import { problemHandler } from '../../src/plugins/problem-handler.ts';
import { streamSlots } from '../../src/routes/stream-slots.ts';
import { videoRoutes } from '../../src/routes/videos.ts';
import { openDiskStore } from '../../src/stores/disk.ts';
import { engine, ffmpeg, folder, H264, AAC, look, script, webReady } from '../engines/video-fixtures.ts';
import type { Folder } from '../engines/video-fixtures.ts';
import { eventually } from '../support/eventually.ts';
import { encodersOf, HAS_PROC, killNow } from '../support/processes.ts';
import { problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const STREAM = '/v1/videos?delivery=stream&effort=fast&encode=always';

let place: Folder;
let server: TestServer;
/** Its FFmpeg takes a minute for a minute of video, and it streams one at a time. */
let slow: TestServer;
let clip: Buffer<ArrayBuffer>;
/** A minute of 64×36. */
let long: Buffer<ArrayBuffer>;

beforeAll(async () => {
  place = await folder();
  server = await startTestServer();
  slow = await startTestServer({
    FFMPEG_PATH: await script(place.join('slow'), 'exec ffmpeg -re "$@"'),
    VIDEO_STREAMS: '1',
  });
  clip = Buffer.from(await readFile(await webReady(place.join('clip.mp4'))));
  await ffmpeg(
    '-f',
    'lavfi',
    '-i',
    'testsrc2=size=64x36:rate=25:duration=60',
    ...H264,
    place.join('long.mp4'),
  );
  long = Buffer.from(await readFile(place.join('long.mp4')));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await slow[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const send = (
  to: TestServer,
  path: string,
  body: Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
) => to.request(path, { method: 'POST', body, headers });

/** Only its head is read; the rest is the caller's. */
function sendRaw(address: string, path: string, body: Buffer): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = request(new URL(path, address), { method: 'POST', agent: false });
  outgoing.once('response', resolve).once('error', reject).end(body);
  return promise;
}

/** Folders of unfinished work that are not empty. */
async function scratches({ config }: { config: { DATA_DIR: string } }): Promise<string[]> {
  const work = join(config.DATA_DIR, 'store', 'work');
  const owners = await readdir(work);
  return (await Promise.all(owners.map((owner) => readdir(join(work, owner))))).flat();
}

async function isIdle(of: TestServer): Promise<boolean> {
  return encodersOf(of.config.DATA_DIR).length === 0 && (await scratches(of)).length === 0;
}

describe('delivery=stream', () => {
  it('answers with the video itself, and makes no job', async () => {
    const response = await send(server, `${STREAM}&height=90`, clip, {
      'content-disposition': 'attachment; filename="Holiday in Ö.mov"',
    });
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'video/mp4',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      'mediamill-decisions': expect.stringContaining('picture%20encoded'),
    });
    expect(response.headers.get('content-disposition')).toContain('inline; filename="Holiday in');
    expect(response.headers.get('content-disposition')).toContain('.mp4');
    const path = place.join('answer.mp4');
    if (response.body === null) throw new Error('there is no body');
    await pipeline(response.body, createWriteStream(path));
    const { streams, format } = await look(path);
    expect(streams[0]).toMatchObject({ codec_name: 'h264', width: 160, height: 90 });
    expect(Math.abs(Number(format.duration) - 2)).toBeLessThan(0.08);
    const { jobs } = (await (await server.request('/v1/jobs')).json()) as { jobs: unknown[] };
    expect(jobs).toEqual([]);
    await eventually('the source is gone', async () => (await scratches(server)).length === 0);
  });

  it('takes a form as well, and gives WebM', async () => {
    const data = new FormData();
    data.append('file', new Blob([clip]), 'a.mp4');
    const response = await server.request(`${STREAM}&format=webm&height=48`, { method: 'POST', body: data });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('video/webm');
    expect((await response.bytes()).subarray(0, 4)).toEqual(new Uint8Array([0x1a, 0x45, 0xdf, 0xa3]));
  });

  it('tells of a source that is none before anything else', async () => {
    const cut = clip.subarray(0, 5000);
    for (const [body, code, status] of [
      [cut, 'video_unreadable', 422],
      [Buffer.from('not a video at all, just words'), 'media_type_unsupported', 415],
      [Buffer.alloc(0), 'file_missing', 400],
    ] as const) {
      const response = await send(server, STREAM, Buffer.from(body));
      expect(response.status).toBe(status);
      expect((await problemOf(response)).code).toBe(code);
    }
    await eventually('nothing is left', () => isIdle(server));
  });

  it('refuses what is no single file', async () => {
    const response = await send(server, `${STREAM}&poster=true`, clip);
    expect((await problemOf(response)).errors?.[0]?.field).toBe('poster');
    const hurried = await send(server, `${STREAM}&priority=5`, clip);
    expect((await problemOf(hurried)).errors?.[0]?.field).toBe('priority');
    expect((await problemOf(await send(server, '/v1/videos?delivery=later', clip))).errors?.[0]?.field).toBe(
      'delivery',
    );
  });

  it.runIf(HAS_PROC)('sends while it encodes, and one at a time where that is the bound', async () => {
    const first = await sendRaw(slow.url, STREAM, long);
    const chunk = await new Promise<Buffer>((resolve) => first.once('data', resolve));
    expect(chunk.toString('latin1', 4, 8)).toBe('ftyp');
    expect(encodersOf(slow.config.DATA_DIR)).toHaveLength(1);

    const second = await send(slow, STREAM, long);
    expect(second.status).toBe(503);
    expect(second.headers.get('retry-after')).toBe('10');
    expect((await problemOf(second)).code).toBe('overloaded');

    first.on('error', () => undefined).destroy();
    await eventually('FFmpeg and its files are gone', () => isIdle(slow));
    const third = await eventually('the place is free', async () => {
      const answer = await sendRaw(slow.url, STREAM, long);
      return answer.statusCode === 200 ? answer : answer.resume() && undefined;
    });
    third.on('error', () => undefined).destroy();
    await eventually('FFmpeg and its files are gone', () => isIdle(slow));
  });

  it.runIf(HAS_PROC)('breaks the answer off where FFmpeg is killed', async () => {
    const response = await eventually('the place is free', async () => {
      const answer = await sendRaw(slow.url, STREAM, long);
      return answer.statusCode === 200 ? answer : answer.resume() && undefined;
    });
    const whole = buffer(response);
    for (const { pid } of encodersOf(slow.config.DATA_DIR)) killNow(pid);
    await expect(whole).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(response.complete).toBe(false);
    await eventually('its files are gone', () => isIdle(slow));
  });

  it.runIf(HAS_PROC)(
    'resets the connection of an old client, who could not tell a break from an end',
    async () => {
      await eventually('the place is free', () => isIdle(slow));
      const { port, hostname } = new URL(slow.url);
      const socket = connect({ port: Number(port), host: hostname });
      const broken = new Promise<Error>((resolve) => socket.once('error', resolve));
      socket.write(`POST ${STREAM} HTTP/1.0\r\nContent-Length: ${long.length}\r\n\r\n`);
      socket.write(long);
      const head = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
      expect(head.toString('latin1')).toMatch(/^HTTP\/1\.\d 200 /);
      expect(head.toString('latin1')).not.toMatch(/transfer-encoding/i);
      for (const { pid } of encodersOf(slow.config.DATA_DIR)) killNow(pid);
      expect(await broken).toMatchObject({ code: 'ECONNRESET' });
      await eventually('its files are gone', () => isIdle(slow));
    },
  );

  it.runIf(HAS_PROC)('keeps no place for clients that were gone before they got one', async () => {
    await eventually('the place is free', () => isIdle(slow));
    const { port, hostname } = new URL(slow.url);
    for (let i = 0; i < 100; i++) {
      const socket = connect({ port: Number(port), host: hostname });
      socket.on('error', () => undefined);
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      socket.write(
        `POST ${STREAM}&height=banana HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n`,
        () => socket.resetAndDestroy(),
      );
      await closed;
    }
    const answer = await eventually('the place is free', async () => {
      const response = await sendRaw(slow.url, STREAM, long);
      return response.statusCode === 200 ? response : response.resume() && undefined;
    });
    answer.on('error', () => undefined).destroy();
    await eventually('FFmpeg and its files are gone', () => isIdle(slow));
  });

  it.runIf(HAS_PROC)('ends when the server does', async () => {
    const leaving = await startTestServer({ FFMPEG_PATH: slow.config.FFMPEG_PATH });
    const dataDir = leaving.config.DATA_DIR;
    const response = await sendRaw(leaving.url, STREAM, long);
    const whole = buffer(response);
    const closed = leaving[Symbol.asyncDispose]();
    await expect(whole).rejects.toMatchObject({ code: 'ECONNRESET' });
    await closed;
    expect(encodersOf(dataDir)).toEqual([]);
  });
});

it('takes no place for a client that left while that was being thought about', async () => {
  await using stack = new AsyncDisposableStack();
  const app = fastify();
  stack.defer(() => app.close());
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  const gone = Promise.withResolvers<void>();
  const refused = Promise.withResolvers<void>();
  app.addHook('onRequest', async (_, reply) => void reply.raw.once('close', gone.resolve));
  app.addHook('onError', async () => refused.resolve());
  await app.register(problemHandler);
  let taken = 0;
  const slots = streamSlots(1);
  const watched: typeof slots = {
    ...slots,
    take(reply) {
      slots.take(reply);
      taken++;
    },
  };
  const capabilities = async () => gone.promise.then(() => ({ ffmpeg: '5.1', ffprobe: '5.1' }));
  const store = { free: async () => 1e9 };
  type Options = Parameters<typeof videoRoutes>[1];
  await app.register(videoRoutes, {
    jobs: { videos: { capabilities } } as unknown as Options['jobs'],
    body: { minBytesPerSecond: 1, windowSeconds: 30 },
    streams: { store, slots: watched } as unknown as Options['streams'],
  });
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  const socket = connect({ port: Number(port), host: '127.0.0.1' });
  socket.write(`POST ${STREAM}&height=banana HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n`, () =>
    socket.resetAndDestroy(),
  );
  await refused.promise;
  expect(taken).toBe(0);
});

it.runIf(HAS_PROC)('gives a client up that takes nothing, and FFmpeg with it', async () => {
  // More than the system keeps for a connection; copied in a moment if somebody took it.
  const raw = '-f rawvideo -video_size 640x360 -pixel_format yuv420p -framerate 25 -i /dev/urandom'.split(
    ' ',
  );
  await ffmpeg(...raw, '-t', '3', ...H264, '-qp', '4', ...AAC, place.join('noise.mp4'));
  const noise = await readFile(place.join('noise.mp4'));
  expect(noise.length).toBeGreaterThan(16_000_000);
  await using stack = new AsyncDisposableStack();
  const root = place.join('store');
  const store = await openDiskStore({ root, owner: 'stall' });
  stack.defer(() => store.close());
  const videos = engine();
  stack.defer(() => videos.close());
  const uploads = { look: async () => undefined };
  const app = fastify();
  stack.defer(() => app.close());
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  await app.register(problemHandler);
  app.addHook('onRequest', async (request) => {
    request.caller = ANYBODY;
    request.admitTenantMinutes = async () => undefined;
    request.chargeTenantMinutes = () => undefined;
  });
  const slots = streamSlots(1);
  await app.register(videoRoutes, {
    // Never asked: no job is made here.
    jobs: { videos } as unknown as Parameters<typeof videoRoutes>[1]['jobs'],
    body: { minBytesPerSecond: 1, windowSeconds: 30 },
    streams: { store, uploads, videos, slots, maxBytes: 1e9, stallMs: 300 },
  });
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  const response = await sendRaw(address, '/v1/videos?delivery=stream&maxBitrate=200000', noise);
  expect(response.statusCode).toBe(200);
  // Nothing is read: what has come lies in the socket, and its breaking is noticed only by reading on.
  await eventually('FFmpeg is gone', () => encodersOf(root).length === 0);
  await expect(buffer(response)).rejects.toMatchObject({ code: 'ECONNRESET' });
});
