// Large blobs on their way into S3 and out of it: in parts, over wires that break, with little in memory.

import { hash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ConfigError } from '../../src/config.ts';
import { openS3Store } from '../../src/stores/s3.ts';
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

const large = randomBytes(19 * MiB + 12_345);
const sum = (bytes: Uint8Array): string => hash('sha256', bytes);
function* pieces(bytes: Buffer, size = 77_777): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

it('puts a stream of unknown length in parts', async () => {
  await using at = await openTestS3Store(s3);
  const blob = await at.store.put('sources/a', Readable.from(pieces(large)), { maxBytes: MANY });
  expect(blob.bytes).toBe(large.length);
  expect(sum(await buffer(await at.store.read('sources/a')))).toBe(sum(large));
  const middle = await buffer(await at.store.read('sources/a', { start: 8 * MiB - 2, end: 8 * MiB + 1 }));
  expect(middle.equals(large.subarray(8 * MiB - 2, 8 * MiB + 2))).toBe(true);
  expect(await at.unfinished()).toBe(0);
  expect(await readdir(join(at.root, 'work', 'test'))).toEqual([]);
});

it.each([
  ['that breaks', new Error('gone')],
  ['past the limit', undefined],
])('leaves no part of a large body %s', async (_what, broken) => {
  await using at = await openTestS3Store(s3);
  let seen = 0;
  async function* body(): AsyncGenerator<Buffer> {
    yield* pieces(large);
    seen = await eventually('an upload in parts', () => at.unfinished());
    if (broken) throw broken;
    yield Buffer.alloc(MiB);
  }
  const put = at.store.put('sources/a', Readable.from(body()), { maxBytes: large.length });
  await expect(put).rejects.toMatchObject(broken ? { message: 'gone' } : { code: 'payload_too_large' });
  expect([seen, await at.unfinished()]).toEqual([1, 0]);
  expect(await at.objects()).toEqual([]);
  expect(await readdir(join(at.root, 'work', 'test'))).toEqual([]);
});

it('adopts a large file', async () => {
  await using at = await openTestS3Store(s3);
  await using scratch = await at.store.scratch('job');
  const path = join(scratch.path, 'out.mp4');
  await writeFile(path, large);
  expect(await at.store.adopt('results/a/1/out.mp4', path)).toMatchObject({ bytes: large.length });
  expect(await readdir(scratch.path)).toEqual([]);
  expect(sum(await buffer(await at.store.read('results/a/1/out.mp4')))).toBe(sum(large));
});

it('takes no more of a body than a few parts while the store is slow', async () => {
  let parts = 0;
  let aborted = 0;
  const server = createServer((request, response) => {
    request.resume();
    if (request.method === 'POST')
      return void response.end(
        '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>',
      );
    if (request.method === 'PUT') return void (++parts === 3 && server.emit('three'));
    if (request.method === 'DELETE') aborted++;
    response.writeHead(request.method === 'DELETE' ? 204 : 200).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await using at = await openTestS3Store({ ...s3, endpoint });
    let taken = 0;
    const controller = new AbortController();
    function* endless(): Generator<Buffer> {
      for (;;) {
        taken += MiB;
        yield Buffer.alloc(MiB);
      }
    }
    const put = at.store.put('sources/a', Readable.from(endless()), {
      maxBytes: 1e12,
      signal: controller.signal,
    });
    await once(server, 'three');
    expect(taken).toBeLessThan(40 * MiB);
    controller.abort();
    await expect(put).rejects.toThrow();
    expect(aborted).toBe(1);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

it('reads on where the connection broke', async () => {
  await using proxy = await startCuttingProxy(s3.endpoint);
  await using at = await openTestS3Store({ ...s3, endpoint: proxy.origin });
  await at.store.put('sources/a', Readable.from(pieces(large)), { maxBytes: MANY });
  proxy.cutAfter(3 * MiB, 4);
  expect(sum(await buffer(await at.store.read('sources/a')))).toBe(sum(large));
  expect(proxy.cuts()).toBe(4);
  proxy.cutAfter(5 * MiB, 2);
  await using file = await at.store.local('sources/a');
  expect(sum(await readFile(file.path))).toBe(sum(large));
  expect(proxy.cuts()).toBe(6);
});

it('never goes on with other bytes than those it has begun with', async () => {
  await using proxy = await startCuttingProxy(s3.endpoint);
  await using at = await openTestS3Store({ ...s3, endpoint: proxy.origin });
  await at.store.put('sources/a', Readable.from(pieces(large)), { maxBytes: MANY });
  const stream = await at.store.read('sources/a');
  stream.once('data', () => stream.pause());
  await once(stream, 'data');
  await at.store.put('sources/a', Readable.from(pieces(randomBytes(large.length))), { maxBytes: MANY });
  proxy.down(true);
  proxy.down(false);
  await expect(buffer(stream)).rejects.toMatchObject({ code: 'ENOENT' });
});

it('says that the store cannot be reached, and works on when it can', async () => {
  await using proxy = await startCuttingProxy(s3.endpoint);
  await using at = await openTestS3Store({ ...s3, endpoint: proxy.origin });
  proxy.down(true);
  await expect(at.store.stat('sources/a')).rejects.toMatchObject({
    code: 'backend_unavailable',
    retryAfter: 5,
  });
  const put = at.store.put('sources/a', Readable.from([Buffer.from('bytes')]), { maxBytes: MANY });
  await expect(put).rejects.toMatchObject({ code: 'backend_unavailable' });
  proxy.down(false);
  await at.store.put('sources/a', Readable.from([Buffer.from('bytes')]), { maxBytes: MANY });
  expect(await at.store.stat('sources/a')).toMatchObject({ bytes: 5 });
});

it('waits with a result that was made until the store is back', async () => {
  await using proxy = await startCuttingProxy(s3.endpoint);
  await using at = await openTestS3Store({ ...s3, endpoint: proxy.origin });
  await using scratch = await at.store.scratch('job');
  const path = join(scratch.path, 'out.mp4');
  await writeFile(path, 'result');
  proxy.down(true);
  const adopted = at.store.adopt('results/a/1/out.mp4', path);
  // More tries than the SDK makes of one call.
  await eventually('it comes again', () => proxy.refused() > 4);
  proxy.down(false);
  expect(await adopted).toMatchObject({ bytes: 6 });
  expect(String(await buffer(await at.store.read('results/a/1/out.mp4')))).toBe('result');
});

it('is not opened where the bucket cannot be used, and says so without secrets', async () => {
  const options = {
    ...{ prefix: '', region: 'us-east-1', pathStyle: true, root: '/nowhere', owner: 'test' },
    ...{ localBytes: 0, redirects: false },
    credentials: { accessKeyId: 'the-key', secretAccessKey: 'the-secret' },
  };
  const none = openS3Store({ ...options, bucket: 'no-such-bucket', endpoint: `${s3.endpoint}/path/` });
  await expect(none).rejects.toThrow(/^The bucket no-such-bucket at http:\/\/127\.0\.0\.1:\d+\/path /);
  await expect(none).rejects.toThrow(ConfigError);
  await expect(none).rejects.not.toThrow(/the-key|the-secret/);
  const nobody = openS3Store({ ...options, bucket: 'any', endpoint: 'http://127.0.0.1:1' });
  await expect(nobody).rejects.toThrow(/cannot be reached.*\(connect ECONNREFUSED/);
  await expect(nobody).rejects.toMatchObject({ code: 'backend_unavailable' });
});

it.each([
  [404, 'InvalidAccessKeyId', 'S3_ACCESS_KEY'],
  [404, 'XAdminUserNotFound', 'S3_ACCESS_KEY'],
  [403, 'AccessDenied', 'S3_ACCESS_KEY'],
  [404, 'NoSuchBucket', 'S3_BUCKET'],
  [400, 'AuthorizationHeaderMalformed', 'S3_REGION'],
])('names what to correct where the store answers %i %s', async (status, code, setting) => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(status).end(`<Error><Code>${code}</Code><Message>no</Message></Error>`);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const opened = openS3Store({
    ...{ prefix: 'ours/', region: 'us-east-1', pathStyle: true, root: '/nowhere', owner: 'test' },
    ...{ localBytes: 0, redirects: false, bucket: 'media', endpoint },
    credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
  });
  await expect(opened).rejects.toThrow(new RegExp(`${setting}.* \\(${status} ${code}\\)\\.$`));
  // A key that may list nothing but what is below the prefix is enough.
  expect(asked).toEqual([expect.stringMatching(/^GET \/media\/?\?.*prefix=ours%2F/)]);
  server.close();
});

it('removes the parts that dead processes have left', async () => {
  const now = Date.UTC(2026, 5, 10);
  const aborted: (string | null)[] = [];
  const begun = (id: string, at: string) =>
    `<Upload><Key>${id}</Key><UploadId>${id}</UploadId><Initiated>${at}</Initiated></Upload>`;
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://any');
    if (request.method === 'DELETE') aborted.push(pathname, searchParams.get('uploadId'));
    const young = begun('results/young', '2026-06-09T00:00:00.000Z');
    const [old, others] = ['results/old', 'theirs/old'].map((id) => begun(id, '2026-06-07T00:00:00.000Z'));
    // A store that takes no notice of the prefix.
    const isOurs = searchParams.get('prefix') === 'results/';
    const page = searchParams.has('key-marker')
      ? `${old}<IsTruncated>false</IsTruncated>`
      : isOurs
        ? `${young}<IsTruncated>true</IsTruncated><NextKeyMarker>results/young</NextKeyMarker>`
        : others;
    response.writeHead(request.method === 'DELETE' ? 204 : 200);
    response.end(
      searchParams.has('uploads')
        ? `<ListMultipartUploadsResult>${page}</ListMultipartUploadsResult>`
        : undefined,
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await using at = await openTestS3Store({ ...s3, endpoint }, { now: () => now, prefix: '' });
    await at.store.tidy();
    expect(aborted).toEqual([`/${s3.bucket}/results/old`, 'results/old']);
    // Not at each sweep.
    await at.store.tidy();
    expect(aborted).toHaveLength(2);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

it('gives an address under which anybody gets the blob, as what it is', async () => {
  await using at = await openTestS3Store(s3);
  await at.store.put('results/a/1/x.mp4', Readable.from([Buffer.from('bytes')]), { maxBytes: MANY });
  const link = await at.store.link?.('results/a/1/x.mp4', {
    seconds: 60,
    mediaType: 'video/mp4',
    disposition: `attachment; filename="f.mp4"; filename*=UTF-8''f%20%C3%BC.mp4`,
  });
  const answer = await fetch(link ?? '');
  expect([answer.status, await answer.text()]).toEqual([200, 'bytes']);
  const asked = new URL(link ?? '').searchParams;
  expect(asked.get('response-content-type')).toBe('video/mp4');
  expect(asked.get('response-content-disposition')).toContain('f%20%C3%BC.mp4');
  // The emulator does not do so.
  if (process.env['TEST_S3_ENDPOINT'] !== undefined) {
    expect(answer.headers.get('content-type')).toBe('video/mp4');
    expect(answer.headers.get('content-disposition')).toContain('f%20%C3%BC.mp4');
  }
  await using elsewhere = await openTestS3Store(s3, { publicEndpoint: 'https://files.example.com' });
  const signed = await elsewhere.store.link?.('a/b', {
    seconds: 60,
    mediaType: 'a/b',
    disposition: 'inline',
  });
  expect(signed).toMatch(/^https:\/\/files\.example\.com\//);
  await using without = await openTestS3Store(s3, { redirects: false });
  expect(
    await without.store.link?.('a/b', { seconds: 1, mediaType: 'a/b', disposition: '' }),
  ).toBeUndefined();
});
