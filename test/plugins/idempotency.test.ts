// Idempotency-Key over HTTP: two processes' worth of routes over one queue, one store and one file of records; time by hand.

import { fastify } from 'fastify';
import type { FastifyInstance } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import fp from 'fastify-plugin';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import type { ClientRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ANYBODY } from '../../src/access/caller.ts';
import type { BlobStore, JobQueue, Records } from '../../src/contracts.ts';
import { idempotentCalls } from '../../src/idempotency/calls.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { idempotency } from '../../src/plugins/idempotency.ts';
import { problemHandler } from '../../src/plugins/problem-handler.ts';
import { Problem } from '../../src/problems.ts';
import { openSqliteQueue } from '../../src/queues/sqlite.ts';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';
import { jobRoutes } from '../../src/routes/jobs.ts';
import { openDiskStore } from '../../src/stores/disk.ts';
import { call, form } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { imageFixture } from '../support/fixtures.ts';

let folder: string;
let stack: AsyncDisposableStack;
let store: BlobStore;
let queue: JobQueue;
let records: Records;
let photo: Buffer;
let left: string;
let right: string;
let time: number;
/** Resolves when a side has noticed that a client left; until then its claims of keys last. */
let slowUntil: PromiseWithResolvers<void> | undefined;
/** How the queue of the left side is out of order: before or after its commit. */
let fault:
  | {
      readonly before?: Error;
      readonly hold?: () => Promise<void>;
      readonly after?: () => Promise<never>;
    }
  | undefined;

const recipe = {
  outputs: { small: { type: 'image', steps: [{ op: 'resize', width: 60 }], format: 'webp' } },
};

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  folder = await mkdtemp(join(tmpdir(), 'mediamill-idempotency-'));
  stack.defer(() => rm(folder, { recursive: true }));
  photo = await imageFixture({ width: 300, height: 200 });
  time = Date.now();
  fault = undefined;
  slowUntil = undefined;
  store = await openDiskStore({ root: join(folder, 'store'), owner: 'me' });
  stack.defer(() => store.close());
  records = await openSqliteRecords({ path: join(folder, 'records.sqlite'), now: () => time });
  stack.defer(() => records.close());
  queue = await openSqliteQueue({
    path: join(folder, 'jobs.sqlite'),
    owner: 'me',
    policy: { maxAttempts: 3, ttlSeconds: 60 },
    leaseSeconds: 10,
    maxWaiting: 100,
    hints: localHints(),
  });
  stack.defer(() => queue.close());
  left = await serve(faulty(queue));
  right = await serve(queue);
});
afterEach(() => stack.disposeAsync());

function faulty(real: JobQueue): JobQueue {
  const add: JobQueue['add'] = async (job) => {
    if (fault?.before !== undefined) throw fault.before;
    await fault?.hold?.();
    const added = await real.add(job);
    return fault?.after === undefined ? added : fault.after();
  };
  return new Proxy(real, {
    get: (_target, name) =>
      name === 'add' ? add : (real[name as keyof JobQueue] as () => unknown).bind(real),
  });
}

async function serve(jobs: JobQueue): Promise<string> {
  const app: FastifyInstance = fastify({ forceCloseConnections: true });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  await app.register(problemHandler);
  await app.register(
    fp(
      async (scope) => {
        scope.addHook('onRequest', async (request) => {
          const tenant = request.headers['x-tenant'];
          request.caller = typeof tenant === 'string' ? { ...ANYBODY, tenant } : ANYBODY;
          request.admitTenantJob = async () => undefined;
          request.admitTenantBytes = async () => undefined;
        });
      },
      { name: 'auth' },
    ),
  );
  const calls = idempotentCalls({ records, keepSeconds: 3600, leaseSeconds: 10, now: () => time });
  app.addHook('onRequestAbort', async (_request) => slowUntil?.resolve());
  await app.register(idempotency, {
    calls: {
      async begin(asked) {
        const begun = await calls.begin(asked);
        await slowUntil?.promise;
        return begun;
      },
    },
    beatMs: 1e9,
  });
  const unused = {} as never;
  await app.register(jobRoutes, {
    queue: jobs,
    store,
    jobs: {
      queue: jobs,
      store,
      videos: unused,
      uploads: { look: async () => undefined },
      checkWebhook: () => undefined,
      checkRemote: (url) => new URL(url),
      limits: { imageMaxBytes: 1e6, videoMaxBytes: 1e6, maxWaiting: 3 },
    },
    body: { minBytesPerSecond: 1, windowSeconds: 60 },
    presets: new Map(),
    leaving: new AbortController().signal,
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  stack.defer(() => app.close());
  return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
}

interface Wish {
  readonly key?: string;
  readonly file?: Buffer;
  readonly name?: string;
  readonly metadata?: string;
  readonly query?: string;
  readonly tenant?: string;
}

function post(address: string, wish: Wish = {}): Promise<Answer> {
  const { key = '"a key"', file = photo, name = 'a.jpg', metadata, query = '', tenant } = wish;
  const { body, headers } = form([
    { name: 'recipe', content: JSON.stringify(recipe) },
    ...(metadata === undefined ? [] : [{ name: 'metadata', content: metadata }]),
    { name: 'file', filename: name, content: file },
  ]);
  return call(address, `/v1/jobs${query}`, {
    method: 'POST',
    headers: { ...headers, 'idempotency-key': key, ...(tenant !== undefined && { 'x-tenant': tenant }) },
    body,
  });
}
const postJson = (address: string, url: string, key = 'json'): Promise<Answer> =>
  call(address, '/v1/jobs', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ source: { url }, recipe }),
  });
const codeOf = (answer: Answer): string => (answer.json() as { code: string }).code;
const idOf = (answer: Answer): string => (answer.json() as { id: string }).id;
const jobs = async (): Promise<number> => (await queue.counts()).queued;
const sources = (): Promise<string[]> => readdir(join(folder, 'store/blobs/sources')).catch(() => []);
const unfinished = (): Promise<string[]> => readdir(join(folder, 'store/work/me'));

describe('a repeated request', () => {
  it('is answered as it was, by another process too, and makes nothing', async () => {
    const first = await post(left);
    expect(first.status).toBe(202);
    expect(first.headers['idempotency-replayed']).toBeUndefined();
    expect(Date.parse(first.headers['idempotency-key-expires'] as string)).toBe(
      Math.floor((time + 3_600_000) / 1000) * 1000,
    );
    time += 60_000;
    // Another boundary, and another name of the file: the same request all the same.
    const second = await post(right, { name: 'tmp-17.jpg' });
    expect(second.status).toBe(202);
    expect(second.body.equals(first.body)).toBe(true);
    for (const name of ['location', 'content-type', 'cache-control', 'idempotency-key-expires'])
      expect(second.headers[name]).toBe(first.headers[name]);
    expect(second.headers['idempotency-replayed']).toBe('true');
    expect(await jobs()).toBe(1);
    expect(await sources()).toHaveLength(1);
    expect(await unfinished()).toEqual([]);
  });

  it('may come as JSON, or as the raw body', async () => {
    const raw = (): Promise<Answer> =>
      call(left, '/v1/jobs?webhook=https%3A%2F%2Fexample.com', {
        method: 'POST',
        headers: { 'idempotency-key': 'raw' },
        body: photo,
      });
    // A raw body has no recipe: refused, and so the key is free again.
    expect(codeOf(await raw())).toBe('invalid_request');
    expect(codeOf(await raw())).toBe('invalid_request');
    const first = await postJson(left, 'https://example.com/a.jpg');
    const second = await postJson(right, 'https://example.com/a.jpg');
    expect(first.status).toBe(202);
    expect(second.body.equals(first.body)).toBe(true);
    expect(codeOf(await postJson(right, 'https://example.com/b.jpg'))).toBe('idempotency_key_reused');
    expect(await jobs()).toBe(1);
  });

  it('is answered although there is no room for a new one', async () => {
    const first = await post(left);
    for (const key of ['b', 'c']) expect((await post(left, { key })).status).toBe(202);
    expect(codeOf(await post(left, { key: 'd' }))).toBe('overloaded');
    const again = await post(left);
    expect(again.status).toBe(202);
    expect(idOf(again)).toBe(idOf(first));
  });

  it('is a new one when the time of its key is over', async () => {
    const first = await post(left);
    time += 3_600_000;
    const second = await post(right);
    expect(second.headers['idempotency-replayed']).toBeUndefined();
    expect(idOf(second)).not.toBe(idOf(first));
    expect(await jobs()).toBe(2);
  });

  it.each<[string, Wish]>([
    ['file', { file: Buffer.alloc(5000, 'x') }],
    ['file that is longer', { file: Buffer.alloc(900_000, 'x') }],
    ['field', { metadata: '{"user":"43"}' }],
    ['query', { query: '?priority=1' }],
  ])('with another %s is refused', async (_what, wish) => {
    const metadata = '{"user":"42"}';
    expect((await post(left, { metadata })).status).toBe(202);
    const other = await post(right, { metadata, ...wish });
    expect(other.status).toBe(422);
    expect(codeOf(other)).toBe('idempotency_key_reused');
    expect(other.headers['idempotency-key-expires']).toBeUndefined();
    expect((await post(right, { metadata })).headers['idempotency-replayed']).toBe('true');
    expect(await jobs()).toBe(1);
    expect(await sources()).toHaveLength(1);
  });

  it('of another tenant is another request', async () => {
    const first = await post(left);
    const other = await post(right, { tenant: 'other', file: Buffer.concat([photo, Buffer.from('x')]) });
    expect(other.status).toBe(202);
    expect(idOf(other)).not.toBe(idOf(first));
  });

  it.each(['', '"a', 'a b', `"${'x'.repeat(256)}"`])('with the key %j is refused', async (key) => {
    const answer = await post(left, { key });
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'invalid_request', errors: [{ field: 'Idempotency-Key' }] });
    expect(await jobs()).toBe(0);
  });
});

describe('a request that is not answered yet', () => {
  async function begin(headers: Readonly<Record<string, string | number>>): Promise<ClientRequest> {
    const request = httpRequest(`${left}/v1/jobs`, {
      method: 'POST',
      headers: { ...headers, 'idempotency-key': 'k', expect: '100-continue' },
    });
    request.flushHeaders();
    // Node says so when it hands the request on: its claim of the key goes before any that is asked for from now on.
    await once(request, 'continue');
    return request;
  }

  it('holds its key: another is refused before its body, and answered afterwards', async () => {
    const { body, headers } = form([
      { name: 'recipe', content: JSON.stringify(recipe) },
      { name: 'file', filename: 'a.jpg', content: photo },
    ]);
    const slow = await begin({ ...headers, 'content-length': body.length });
    const second = await post(right, { key: 'k', file: Buffer.alloc(10, 'x') });
    expect(codeOf(second)).toBe('idempotency_in_flight');
    expect(Number(second.headers['retry-after'])).toBeGreaterThan(0);
    slow.end(body);
    const [answer] = (await once(slow, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
    expect(answer.statusCode).toBe(202);
    const made = JSON.parse(await text(answer)) as { id: string };
    const third = await post(right, { key: 'k' });
    expect(third.headers['idempotency-replayed']).toBe('true');
    expect(idOf(third)).toBe(made.id);
  });

  it('frees its key when its client leaves half-way', async () => {
    const slow = await begin({ ...form([]).headers, 'content-length': 1000 });
    slow.on('error', () => undefined);
    slow.write('--x');
    expect(codeOf(await post(right, { key: 'k' }))).toBe('idempotency_in_flight');
    slow.destroy();
    const answer = await eventually('the key is free', async () => {
      const tried = await post(right, { key: 'k' });
      return tried.status === 409 ? undefined : tried;
    });
    expect(answer.status).toBe(202);
    expect(await jobs()).toBe(1);
  });

  it.each([
    ['a form', form([]).headers],
    ['JSON', { 'content-type': 'application/json' }],
    ['bytes', { 'content-type': 'image/jpeg' }],
  ])(
    'frees its key when its client leaves while that is looked up, before %s has come',
    async (_what, headers) => {
      slowUntil = Promise.withResolvers();
      const slow = await begin({ ...headers, 'content-length': 1000 });
      slow.on('error', () => undefined);
      slow.destroy();
      await slowUntil.promise;
      slowUntil = undefined;
      const answer = await eventually('the key is free', async () => {
        const tried = await post(right, { key: 'k' });
        return tried.status === 409 ? undefined : tried;
      });
      expect(answer.status).toBe(202);
    },
  );

  it('frees its key when it fails', async () => {
    fault = { before: new Problem('storage_full', 'no room') };
    expect((await post(left)).status).toBe(507);
    fault = undefined;
    const other = await post(left, { file: Buffer.concat([photo, Buffer.from('x')]) });
    expect(other.status).toBe(202);
    expect(await sources()).toHaveLength(1);
  });
});

describe('a request whose process died between the commit and the answer', () => {
  async function die(): Promise<void> {
    const committed = Promise.withResolvers<void>();
    fault = {
      after: () => {
        committed.resolve();
        return new Promise<never>(() => undefined);
      },
    };
    post(left).catch(() => undefined);
    await committed.promise;
  }

  it('has made one job, which the next is answered with', async () => {
    await die();
    expect(codeOf(await post(right))).toBe('idempotency_in_flight');
    time += 10_000;
    const answer = await post(right);
    expect(answer.status).toBe(202);
    expect(answer.headers['idempotency-replayed']).toBe('true');
    expect(answer.headers['location']).toBe(`/v1/jobs/${idOf(answer)}`);
    expect(await sources()).toEqual([idOf(answer)]);
    expect(idOf(await post(right))).toBe(idOf(answer));
    expect(await jobs()).toBe(1);
  });

  it('has made one job also if it was only paused, and goes on', async () => {
    const [paused, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    fault = {
      hold: () => {
        paused.resolve();
        return goOn.promise;
      },
    };
    const late = post(left);
    await paused.promise;
    time += 10_000;
    const answer = await post(right);
    expect(answer.status).toBe(202);
    goOn.resolve();
    expect(idOf(await late)).toBe(idOf(answer));
    expect(await sources()).toEqual([idOf(answer)]);
    expect(await jobs()).toBe(1);
  });

  it('is refused with another body, and what came of that is thrown away', async () => {
    await die();
    time += 10_000;
    const other = await post(right, { file: Buffer.concat([photo, Buffer.from('x')]) });
    expect(codeOf(other)).toBe('idempotency_key_reused');
    const again = await post(right);
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(await sources()).toEqual([idOf(again)]);
    expect(await jobs()).toBe(1);
  });
});
