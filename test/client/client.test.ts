// The typed client against a real server: what it sends, what it makes of the answers, and how it recovers.

import { openAsBlob } from 'node:fs';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import sharp from 'sharp';
import type { z } from 'zod';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { connect, MediamillError } from '../../src/client/mediamill.ts';
import type { JobView, Mediamill, UploadView } from '../../src/client/mediamill.ts';
import type { uploadSchema } from '../../src/routes/upload-view.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

let server: TestServer;
let client: Mediamill;
let photo: Uint8Array<ArrayBuffer>;
let clip: Blob;

beforeAll(async () => {
  server = await startTestServer();
  client = connect({ url: server.url });
  photo = new Uint8Array(await imageFixture({ width: 1200, height: 800 }));
  clip = await openAsBlob(await clipFixture({ seconds: 1, width: 320, height: 180, fps: 10 }));
});
afterAll(() => server[Symbol.asyncDispose]());

const refusal = (call: Promise<unknown>): Promise<MediamillError> =>
  call.then(
    () => Promise.reject(new Error('it was not refused')),
    (error: unknown) => {
      if (error instanceof MediamillError) return error;
      throw error;
    },
  );

it('has the same idea of an upload as the server', () => {
  expectTypeOf<z.output<typeof uploadSchema>>().toExtend<UploadView>();
});

describe('images', () => {
  it('come back with their size, type and decisions', async () => {
    const { bytes, mediaType, width, height, decisions } = await client.image(photo, {
      width: 320,
      format: 'auto',
    });
    expect({ mediaType, width, height }).toEqual({ mediaType: 'image/jpeg', width: 320, height: 213 });
    expect(await sharp(bytes).metadata()).toMatchObject({ width: 320, height: 213 });
    expect(decisions.length).toBeGreaterThan(0);
    expect(decisions.join()).not.toContain('%');
  });

  it('are taken as a Blob and as a stream too', async () => {
    const blob = new Blob([photo]);
    await expect(client.image(blob, { width: 10 })).resolves.toMatchObject({ width: 10 });
    await expect(client.image(blob.stream(), { width: 10 })).resolves.toMatchObject({ width: 10 });
  });

  it('are looked at', async () => {
    await expect(client.imageInfo(photo, { fields: ['size', 'format'] })).resolves.toEqual({
      format: 'jpeg',
      width: 1200,
      height: 800,
    });
  });

  it('come in sets', async () => {
    const { manifest, files } = await client.imageSet(photo, {
      widths: [100, 200],
      formats: ['webp', 'jpeg'],
    });
    expect(manifest.files.map(({ file }) => file)).toEqual(files.map(({ name }) => name));
    expect(files).toHaveLength(4);
    for (const [index, { bytes, mediaType }] of files.entries()) {
      expect(bytes).toHaveLength(manifest.files[index]?.bytes ?? 0);
      expect(mediaType).toBe(`image/${(await sharp(bytes).metadata()).format}`);
    }
  });

  it('are refused with the code and the fields of the problem', async () => {
    const error = await refusal(client.image(photo, { width: 0 }));
    expect(error).toMatchObject({ code: 'invalid_request', status: 400, errors: [{ field: 'width' }] });
    expect(error.requestId).toBeTruthy();
  });
});

describe('jobs', () => {
  it('are followed to their end, and their outputs fetched', async () => {
    const begun = await client.video(clip, { height: 90, poster: false }, { name: 'filmé.mp4', priority: 3 });
    expect(begun).toMatchObject({ source: { name: 'filmé.mp4' }, priority: 3 });
    const seen: JobView[] = [];
    const ended = await client.wait(begun, { onProgress: (job) => seen.push(job) });
    expect(ended).toMatchObject({ id: begun.id, status: 'succeeded' });
    expect(seen.at(-1)).toEqual(ended);
    const response = await client.output(ended, 'video');
    expect(response.headers.get('content-type')).toBe('video/mp4');
    const [output] = ended.outputs;
    expect((await response.arrayBuffer()).byteLength).toBe(output?.bytes);
  });

  it('are made of a recipe, listed over pages, and removed', async () => {
    const made: JobView[] = [];
    for (let count = 0; count < 3; count++) {
      made.push(
        await client.job({
          source: photo,
          recipe: { outputs: { small: { type: 'image', steps: [{ op: 'resize', width: 20 + count }] } } },
          metadata: { count: String(count) },
        }),
      );
    }
    for (const job of made) await client.wait(job);
    const listed: string[] = [];
    for await (const { id } of client.jobs({ status: 'succeeded', limit: 1 })) listed.push(id);
    expect(listed.slice(0, 3)).toEqual(made.map(({ id }) => id).toReversed());
    for (const job of made) await client.remove(job);
    expect(await refusal(client.get(made[0]!))).toMatchObject({ code: 'job_not_found', status: 404 });
    expect(await refusal(client.wait(made[0]!.id))).toMatchObject({ code: 'job_not_found' });
  });

  it('are refused for what the recipe gets wrong', async () => {
    const order = {
      source: photo,
      recipe: { outputs: { small: { type: 'image', quality: 1000 } } },
    } as const;
    const error = await refusal(client.job(order));
    expect(error).toMatchObject({ code: 'recipe_invalid', errors: [{ field: 'outputs.small.quality' }] });
  });

  it('are no longer waited for when the signal aborts', async () => {
    const gone = new AbortController();
    gone.abort(new Error('enough'));
    await expect(client.wait('any', { signal: gone.signal })).rejects.toThrow('enough');
  });
});

describe('a server that is not always there', () => {
  /** Answers by the list, the last for ever. */
  async function scripted(...answers: RequestListener[]) {
    const keys: (string | undefined)[] = [];
    const bodies: string[] = [];
    let calls = 0;
    const stub = createServer((request, response) => {
      const answer = answers[Math.min(calls++, answers.length - 1)];
      keys.push(request.headers['idempotency-key'] as string | undefined);
      void buffer(request).then((body) => {
        bodies.push(body.toString('latin1'));
        return answer?.(request, response);
      });
    });
    await new Promise<void>((done) => stub.listen(0, '127.0.0.1', done));
    return {
      url: `http://127.0.0.1:${(stub.address() as AddressInfo).port}`,
      keys,
      bodies,
      calls: () => calls,
      async [Symbol.asyncDispose]() {
        stub.closeAllConnections();
        await new Promise((done) => stub.close(done));
      },
    };
  }
  const problem =
    (status: number, code: string, retryAfter?: string): RequestListener =>
    (_, response) => {
      response
        .writeHead(status, {
          'content-type': 'application/problem+json; charset=utf-8',
          ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
        })
        .end(JSON.stringify({ code, status, title: code, detail: `said ${code}` }));
    };
  const accepted: RequestListener = (_, response) => response.writeHead(202).end('{"id":"made"}');
  const broken: RequestListener = (request) => request.socket.destroy();

  it('is asked again under the same key, with the same body', async () => {
    await using stub = await scripted(
      problem(503, 'overloaded', '0'),
      broken,
      problem(429, 'rate_limited', '0'),
      accepted,
    );
    const job = await connect({ url: stub.url }).job({ source: photo, preset: 'web' });
    expect(job.id).toBe('made');
    expect(stub.calls()).toBe(4);
    expect(new Set(stub.keys).size).toBe(1);
    expect(stub.keys[0]).toMatch(/^[\da-f-]{36}$/);
    for (const body of stub.bodies.filter((each) => each !== '')) expect(body).toContain('name="preset"');
  });

  it('is not asked again for what cannot change', async () => {
    await using stub = await scripted(problem(422, 'image_unreadable'), accepted);
    expect(await refusal(connect({ url: stub.url }).image(photo))).toMatchObject({
      code: 'image_unreadable',
      detail: 'said image_unreadable',
    });
    expect(stub.calls()).toBe(1);
  });

  it('is not waited for longer than was agreed', async () => {
    await using stub = await scripted(problem(429, 'rate_limited', '3600'), accepted);
    expect(await refusal(connect({ url: stub.url }).get('x'))).toMatchObject({
      code: 'rate_limited',
      retryAfter: 3600,
    });
    expect(stub.calls()).toBe(1);
  });

  it('is given up as unreachable', async () => {
    const error = await refusal(connect({ url: 'http://127.0.0.1:1', retries: 1 }).get('x'));
    expect(error).toMatchObject({ code: 'unreachable', status: 0 });
  });

  it('may stand behind a proxy that answers itself', async () => {
    await using stub = await scripted((_, response) => response.writeHead(404).end('<h1>nginx</h1>'));
    expect(await refusal(connect({ url: stub.url }).get('x'))).toMatchObject({
      code: 'unexpected_answer',
      status: 404,
    });
  });

  it('sends the key', async () => {
    let seen: string | undefined;
    await using stub = await scripted((request, response) => {
      seen = request.headers.authorization;
      response.end('{}');
    });
    await connect({ url: `${stub.url}/`, key: 'mm_a_b' }).get('x');
    expect(seen).toBe('Bearer mm_a_b');
  });
});
