// The client over a connection that breaks: uploads go on where they were, event streams too; and webhooks are believed only if signed.

import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, MediamillError, verifyWebhook } from '../../src/client/mediamill.ts';
import { parseEvents } from '../../src/client/event-stream.ts';
import { clipFixture } from '../support/fixtures.ts';
import { readFile } from 'node:fs/promises';
import { startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server[Symbol.asyncDispose]());

interface Gate extends AsyncDisposable {
  readonly url: string;
  readonly seen: readonly string[];
}

/** Passes everything on to the server, but cuts the connections that `cuts` names after so many bytes of the body or answer. */
async function gate(
  cuts: (method: string, path: string, count: number) => { up?: number; down?: number } | undefined,
): Promise<Gate> {
  const seen: string[] = [];
  const proxy = createServer((incoming, outgoing) => {
    const { method = '', url = '' } = incoming;
    seen.push(`${method} ${url}`);
    const cut = cuts(method, url, seen.filter((each) => each === `${method} ${url}`).length);
    const upstream = httpRequest(new URL(url, server.url), {
      method,
      headers: { ...incoming.headers, host: '' },
    });
    upstream.on('error', () => outgoing.destroy());
    upstream.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 0, answer.headers);
      let passed = 0;
      answer.on('data', (chunk: Buffer) => {
        passed += chunk.length;
        outgoing.write(chunk);
        if (passed > (cut?.down ?? Number.POSITIVE_INFINITY)) incoming.socket.destroy();
      });
      answer.on('end', () => outgoing.end());
      outgoing.on('close', () => answer.destroy());
    });
    let sent = 0;
    incoming.on('data', (chunk: Buffer) => {
      sent += chunk.length;
      if (sent <= (cut?.up ?? Number.POSITIVE_INFINITY)) return void upstream.write(chunk);
      incoming.socket.destroy();
      upstream.destroy();
    });
    incoming.on('end', () => upstream.end());
    incoming.on('error', () => upstream.destroy());
  });
  await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose]() {
      proxy.closeAllConnections();
      await new Promise((done) => proxy.close(done));
    },
  };
}

async function clipOf(bytes: number): Promise<Blob> {
  const clip = await readFile(await clipFixture({ seconds: 1, width: 320, height: 180, fps: 10 }));
  return new Blob([clip, randomBytes(bytes)]);
}

describe('uploads', () => {
  it('go in pieces, and on where the connection broke', async () => {
    // Every third piece breaks half-way.
    let pieces = 0;
    await using broken = await gate((method) =>
      method === 'PATCH' && ++pieces % 3 === 2 ? { up: 70_000 } : undefined,
    );
    const file = await clipOf(1_000_000);
    const told: number[] = [];
    const upload = await connect({ url: broken.url }).upload(file, {
      name: 'clïp.mp4',
      chunkBytes: 200_000,
      onProgress: ({ sent, total }) => {
        expect(total).toBe(file.size);
        told.push(sent);
      },
    });
    expect(upload).toMatchObject({ bytes: file.size, mediaType: 'video/mp4', name: 'clïp.mp4' });
    expect(told.at(-1)).toBe(file.size);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    expect(broken.seen.some((each) => each.startsWith('HEAD '))).toBe(true);
  });

  it('are taken up again by another client', async () => {
    const file = await clipOf(300_000);
    const leaving = new AbortController();
    let id = '';
    const first = connect({ url: server.url }).upload(file, {
      chunkBytes: 50_000,
      signal: leaving.signal,
      onStart: (begun) => void (id = begun),
      onProgress: ({ sent }) => {
        if (sent >= 100_000) leaving.abort(new Error('gone'));
      },
    });
    await expect(first).rejects.toThrow('gone');
    const told: number[] = [];
    const upload = await connect({ url: server.url }).upload(file, {
      resume: id,
      onProgress: ({ sent }) => told.push(sent),
    });
    expect(upload).toMatchObject({ id, bytes: file.size });
    expect(told[0]).toBeGreaterThanOrEqual(100_000);
  });

  it('are not taken up with another file', async () => {
    const client = connect({ url: server.url });
    let id = '';
    const leaving = new AbortController();
    const stop = (begun: string): void => {
      id = begun;
      leaving.abort(new Error('gone'));
    };
    await expect(client.upload(await clipOf(10), { onStart: stop, signal: leaving.signal })).rejects.toThrow(
      'gone',
    );
    const other = client.upload(await clipOf(20), { resume: id });
    await expect(other).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('jobs', () => {
  it('are made once, also where the answer was lost on its way', async () => {
    await using broken = await gate((method, _, count) =>
      method === 'POST' && count <= 2 ? { down: 0 } : undefined,
    );
    const client = connect({ url: broken.url });
    const before = (await Array.fromAsync(client.jobs())).length;
    const recipe = { outputs: { still: { type: 'thumbnail', width: 32 } } } as const;
    const job = await client.job({ source: await clipOf(0), recipe });
    expect(broken.seen.filter((each) => each === 'POST /v1/jobs')).toHaveLength(3);
    const after = await Array.fromAsync(client.jobs());
    expect(after.map(({ id }) => id).slice(0, -before || undefined)).toEqual([job.id]);
  });
});

describe('events', () => {
  it('go on after the last one that came, whatever breaks', async () => {
    await using broken = await gate((_, path, count) =>
      path.includes('events') && count <= 3 ? { down: 1 } : undefined,
    );
    const client = connect({ url: broken.url });
    const clip = await clipOf(0);
    const made = [
      await client.video(clip, { poster: false, height: 90 }),
      await client.video(clip, { poster: false }),
    ];
    const wanted = new Set(made.map(({ id }) => id));
    const ids: number[] = [];
    for await (const { id, jobId, type } of client.events({ after: '0' })) {
      ids.push(Number(id));
      if (type === 'succeeded') wanted.delete(jobId ?? '');
      if (wanted.size === 0) break;
    }
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(broken.seen.filter((each) => each.includes('events')).length).toBeGreaterThan(1);
  });

  it('are not needed to wait for a job', async () => {
    const files = await gate((_, path) => (path.endsWith('/events') ? { down: 0 } : undefined));
    await using broken = files;
    const client = connect({ url: broken.url, fetch: withoutEvents });
    const ended = await client.wait(await client.video(await clipOf(0), { poster: false }));
    expect(ended.status).toBe('succeeded');
    expect(broken.seen.some((each) => each.includes('?wait='))).toBe(true);
  });

  it('are read as the standard says', async () => {
    const text =
      ': hello\nid: 1\nevent: a\ndata: x\ndata: y\n\nid\ndata:z\r\n\r\nevent: none\n\rdata: no end';
    const bytes = new TextEncoder().encode(text);
    const pieces = async function* () {
      for (let at = 0; at < bytes.length; at += 3) yield bytes.slice(at, at + 3);
    };
    expect(await Array.fromAsync(parseEvents(pieces()))).toEqual([
      { id: '1', type: 'a', data: 'x\ny' },
      { id: '', type: 'message', data: 'z' },
    ]);
  });
});

/** As a proxy does that lets no streams through. */
const withoutEvents: typeof fetch = async (input, init) =>
  typeof input === 'string' && input.endsWith('/events')
    ? new Response('no', { status: 502 })
    : fetch(input, init);

describe('webhooks', () => {
  // The example of the Standard Webhooks libraries.
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const body = '{"test": 2432232314}';
  const headers = {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  };
  const now = 1_614_265_330_000;

  it('are believed if the secret has signed them', async () => {
    await expect(verifyWebhook(secret, headers, body, { now })).resolves.toEqual({ test: 2_432_232_314 });
    const rotated = ['whsec_bmV3', secret];
    await expect(
      verifyWebhook(rotated, new Headers(headers), new TextEncoder().encode(body), { now }),
    ).resolves.toBeTruthy();
  });

  it.each([
    ['another body', headers, '{"test": 1}', now],
    ['another id', { ...headers, 'webhook-id': 'msg_2' }, body, now],
    ['no signature', { ...headers, 'webhook-signature': '' }, body, now],
    ['a signature of another kind', { ...headers, 'webhook-signature': 'v2,AAAA' }, body, now],
    ['a signature that is none', { ...headers, 'webhook-signature': 'v1,%%%' }, body, now],
    ['a time long ago', headers, body, now + 301_000],
    ['no time', { ...headers, 'webhook-timestamp': 'soon' }, body, now],
  ])('are refused with %s', async (_, given, text, at) => {
    const refused = verifyWebhook(secret, given, text, { now: at });
    await expect(refused).rejects.toBeInstanceOf(MediamillError);
    await expect(refused).rejects.toMatchObject({ code: 'signature_invalid' });
  });
});
