// How the store calls S3: how often, over what, how long it waits, and that whoever no longer wants it need not.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Hint } from '../../src/contracts.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';
import { openUploads } from '../../src/uploads/open-uploads.ts';
import { UPLOADS } from '../../src/uploads/upload-record.ts';
import { startCuttingProxy } from '../support/cutting-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { startS3 } from '../support/s3.ts';
import type { TestS3 } from '../support/s3.ts';
import { openTestS3Store } from '../support/s3-store.ts';

const MiB = 1024 * 1024;
const MANY = 1 << 30;

let s3: TestS3;
beforeAll(async () => {
  s3 = await startS3();
});
afterAll(async () => {
  await s3[Symbol.asyncDispose]();
});

/** A store that answers nothing but what `answer` ends. */
async function startFakeS3(answer: (request: IncomingMessage, response: ServerResponse) => unknown) {
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    server,
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

it('waits with a copy to work on until the store is back, or nobody wants it any more', async () => {
  await using proxy = await startCuttingProxy(s3.endpoint);
  await using at = await openTestS3Store({ ...s3, endpoint: proxy.origin });
  await at.store.put('sources/a', Readable.from([Buffer.from('bytes')]), { maxBytes: MANY });
  proxy.down(true);
  const controller = new AbortController();
  const unwanted = at.store.local('sources/a', { signal: controller.signal });
  const wanted = at.store.local('sources/a');
  await eventually('both come again', () => proxy.refused() > 8);
  const reason = new Error('cancelled');
  controller.abort(reason);
  await expect(unwanted).rejects.toBe(reason);
  proxy.down(false);
  await using file = await wanted;
  expect(await readFile(file.path, 'utf8')).toBe('bytes');
});

it('puts what is not small without asking, before or afterwards', async () => {
  const asked: string[] = [];
  await using fake = await startFakeS3((request, response) => {
    const isBucket = request.url?.includes('sources') !== true;
    if (!isBucket) asked.push(`${request.method} ${request.headers.expect ?? ''}`.trim());
    // What was put is there, whatever becomes of a question about it.
    response.statusCode = request.method === 'HEAD' && !isBucket ? 500 : 200;
    request.resume().once('end', () => response.end());
  });
  fake.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    asked.push('expects to continue');
    response.writeContinue();
    request.resume().once('end', () => response.end());
  });
  await using at = await openTestS3Store({ ...s3, endpoint: fake.endpoint });
  const bytes = 3 * MiB;
  for (let count = 0; count < 3; count++)
    expect(
      await at.store.put('sources/a', Readable.from([Buffer.alloc(bytes)]), { maxBytes: MANY }),
    ).toMatchObject({ key: 'sources/a', bytes });
  expect(asked).toEqual(['PUT', 'PUT', 'PUT']);
});

it('a store that takes what comes and says nothing is asked once more, and then given up', async () => {
  const asked: string[] = [];
  await using fake = await startFakeS3((request, response) => {
    request.resume();
    const { method = '', url = '' } = request;
    if (url.includes('sources') && !url.includes('list-type=')) {
      asked.push(`${method} ${/uploadId|uploads|partNumber/.exec(url)?.[0] ?? ''}`.trim());
      if (!url.includes('uploads')) return;
    }
    response.end('<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>');
  });
  await using at = await openTestS3Store({ ...s3, endpoint: fake.endpoint }, { idleMs: [150, 100] });
  const put = (bytes: number): Promise<unknown> =>
    at.store.put('sources/a', Readable.from([Buffer.alloc(bytes)]), { maxBytes: MANY });
  await expect(put(1)).rejects.toMatchObject({ code: 'backend_unavailable' });
  expect(asked.splice(0)).toEqual(['PUT', 'PUT']);
  await expect(put(10 * MiB)).rejects.toMatchObject({ code: 'backend_unavailable' });
  const parts = asked.filter((each) => each.startsWith('PUT'));
  expect(asked).toEqual(expect.arrayContaining(['POST uploads', 'DELETE uploadId']));
  // Each of the parts that were on their way, and no third time.
  expect(parts.length).toBeLessThanOrEqual(4);
  expect(await readdir(join(at.root, 'work', 'test'))).toEqual([]);
  asked.length = 0;
  await expect(at.store.read('sources/a')).rejects.toMatchObject({ code: 'backend_unavailable' });
  expect(asked).toEqual(['GET', 'GET']);
});

it('a call whose connection was cut without a word succeeds on another', async () => {
  let puts = 0;
  await using fake = await startFakeS3((request, response) => {
    request.resume();
    if (request.method !== 'PUT' || ++puts > 1) response.end('<ListAll/>');
  });
  await using at = await openTestS3Store({ ...s3, endpoint: fake.endpoint }, { idleMs: [100, 5000] });
  await at.store.put('sources/a', Readable.from([Buffer.alloc(9)]), { maxBytes: MANY });
  expect(puts).toBe(2);
});

it('a cancelled copy and a cancelled result end at once', async () => {
  const begun: (string | undefined)[] = [];
  await using fake = await startFakeS3((request, response) => {
    request.resume();
    const isAnswered = request.method === 'HEAD' || request.url?.includes('list-type=') === true;
    // Its bytes never come, and a put never ends.
    if (isAnswered) response.writeHead(200, { 'content-length': 10, etag: '"a"' }).end('<ListAll/>');
    else if (request.method === 'GET') response.writeHead(200, { 'content-length': 10 }).write('first');
    if (!isAnswered) begun.push(request.method);
  });
  await using at = await openTestS3Store({ ...s3, endpoint: fake.endpoint });
  const reason = new Error('cancelled');
  const path = join(at.root, 'result');
  await writeFile(path, 'result');
  for (const work of [
    (signal: AbortSignal) => at.store.local('sources/a', { signal }),
    (signal: AbortSignal) => at.store.adopt('results/a/1/x.mp4', path, { signal }),
  ]) {
    begun.length = 0;
    const controller = new AbortController();
    const working = work(controller.signal);
    await eventually('it has begun', () => begun.length > 0);
    controller.abort(reason);
    await expect(working).rejects.toBe(reason);
  }
  expect(await readdir(join(at.root, 'work', 'test'))).toEqual([]);
});

it('counts no byte that comes late from a machine whose clock runs ahead', async () => {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-late-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const records = await openSqliteRecords({ path: join(folder, 'records.sqlite') });
  stack.defer(() => records.close());
  // Between the first machine and the store: it loses the answers of puts, and passes the last on when all is over.
  const late: {
    readonly method: string;
    readonly path: string;
    readonly headers: object;
    readonly body: Buffer;
  }[] = [];
  // With the headers as they came: they are signed.
  const passOn = ({ body, ...call }: (typeof late)[number]) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const { hostname, port } = new URL(s3.endpoint);
      httpRequest({ ...call, headers: { ...call.headers }, hostname, port }, resolve)
        .once('error', reject)
        .end(body);
    });
  await using wire = await startFakeS3(async (request, response) => {
    const { method = '', url: path = '', headers } = request;
    const call = { method, path, headers, body: await buffer(request) };
    if (method === 'PUT' && path.includes('/segments/')) {
      late.push(call);
      return void response.writeHead(503).end();
    }
    const answer = await passOn(call);
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(response);
  });
  const prefix = `${randomUUID()}/`;
  const ahead = { prefix, now: () => Date.now() + 3_600_000 };
  const first = stack.use(await openTestS3Store({ ...s3, endpoint: wire.endpoint }, ahead));
  const second = stack.use(await openTestS3Store(s3, { prefix }));
  const [one, two] = [first, second].map(({ store }) => {
    const opened = openUploads({
      ...{ store, records, hints: localHints<Hint>(), purge: async () => undefined },
      limits: { imageMaxBytes: MANY, videoMaxBytes: MANY },
      ...{ ttlSeconds: 3600, partTtlSeconds: 3600, joinWaitMs: 20_000 },
    });
    stack.defer(() => opened.close());
    return opened;
  });
  const png = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(20_000, 'p')]);
  const asked = { tenant: 'a', name: null, length: png.length, metadata: null, concat: null };
  const { id } = await one!.receiver.create(asked);
  const send = (to: typeof one, offset: number, end: number) =>
    to!.receiver.receive(id, 'a', { offset, body: Readable.from([png.subarray(offset, end)]) });
  await expect(send(one, 0, 900)).rejects.toMatchObject({ code: 'backend_unavailable' });
  expect((await send(two, 0, 9000)).offset).toBe(9000);
  expect(late.length).toBeGreaterThan(0);
  expect((await passOn(late.at(-1)!)).resume().statusCode).toBe(200);
  expect((await send(two, 9000, png.length)).completedAt).not.toBeNull();
  expect((await buffer(await second.store.read(`uploads/${id}`))).equals(png)).toBe(true);
  expect((await records.get(UPLOADS, id))?.value.segments).toEqual([]);
});
