// The client that browsers and Uppy use, as it is, against the server.

import { randomBytes } from 'node:crypto';
import { Upload } from 'tus-js-client';
import type { UploadOptions } from 'tus-js-client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openRecords } from '../../src/registers/open.ts';
import { placeOf, UPLOADS } from '../../src/uploads/upload-record.ts';
import type { UploadRecord } from '../../src/uploads/upload-record.ts';
import { startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { blobBytes } from '../support/stored.ts';

const FILM = Buffer.concat([
  Buffer.from('1a45dfa3a34286844282886d6174726f736b61', 'hex'),
  randomBytes(1_500_000),
]);

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const blobOf = (url: string): Promise<Buffer> =>
  blobBytes(server.config.DATA_DIR, `uploads/${url.split('/').at(-1)}`);

function send(options: Partial<UploadOptions>): { upload: Upload; done: Promise<string> } {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const upload = new Upload(FILM, {
    endpoint: `${server.url}/v1/uploads`,
    retryDelays: [50, 100, 200],
    metadata: { filename: 'film.mkv', filetype: 'video/x-matroska' },
    onError: reject,
    onSuccess: () => resolve(upload.url ?? ''),
    ...options,
  });
  return { upload, done: promise };
}

it.each([
  ['at once', {}],
  ['in pieces', { chunkSize: 200_000 }],
  ['with the creation', { chunkSize: 400_000, uploadDataDuringCreation: true }],
  ['without a length', { chunkSize: 400_000, uploadLengthDeferred: true }],
  ['as parts at once', { parallelUploads: 3 }],
  ['by POST', { overridePatchMethod: true }],
])('sends a file %s', async (_how, options) => {
  const { upload, done } = send(options);
  upload.start();
  const url = await done;
  expect((await blobOf(url)).equals(FILM)).toBe(true);
  const view = (await (await fetch(url)).json()) as Record<string, unknown>;
  expect(view).toMatchObject({ status: 'complete', mediaType: 'video/x-matroska', bytes: FILM.length });
});

it('goes on where it was stopped, without sending again what is there', async () => {
  const first = send({
    chunkSize: 200_000,
    onChunkComplete: (_size, accepted) => {
      if (accepted >= 600_000) void first.upload.abort();
      if (accepted >= 600_000) stopped.resolve();
    },
  });
  const stopped = Promise.withResolvers<void>();
  first.upload.start();
  await stopped.promise;
  let least = Number.POSITIVE_INFINITY;
  const second = send({
    uploadUrl: first.upload.url,
    onProgress: (sent) => (least = Math.min(least, sent)),
  });
  second.upload.start();
  const url = await second.done;
  expect(url).toBe(first.upload.url);
  expect(least).toBeGreaterThanOrEqual(600_000);
  expect((await blobOf(url)).equals(FILM)).toBe(true);
});

it('waits for what is still being put together', async () => {
  const parts = send({ parallelUploads: 2 });
  parts.upload.start();
  const url = await parts.done;
  const id = url.split('/').at(-1) ?? '';
  // As if another process were still at it: it says from time to time that it lives.
  const records = await openRecords(server.config);
  const change = async (with_: Partial<UploadRecord>): Promise<void> => {
    const stored = (await records.get(UPLOADS, id))!;
    const value = { ...stored.value, ...with_ };
    await records.put(UPLOADS, id, value, placeOf(value, Date.now()), stored.version);
  };
  await change({ completedAt: null, writer: { token: 'other', joining: true } });
  const signs = setInterval(() => void change({}), 100);
  const offsets: (string | undefined)[] = [];
  try {
    const resumed = send({
      uploadUrl: url,
      onAfterResponse: async (_request, answer) => {
        offsets.push(answer.getHeader('Upload-Offset'));
        expect([answer.getStatus(), answer.getHeader('Upload-Length')]).toEqual([200, String(FILM.length)]);
        clearInterval(signs);
        await change({ writer: null });
      },
    });
    resumed.upload.start();
    expect(await resumed.done).toBe(url);
  } finally {
    clearInterval(signs);
    await records.close();
  }
  // Not told before it is put together; then all of it, and not a byte was sent again.
  expect(offsets).toEqual([undefined, String(FILM.length)]);
});

it('removes what it gave up', async () => {
  const { upload } = send({ chunkSize: 100_000, onChunkComplete: () => begun.resolve() });
  const begun = Promise.withResolvers<void>();
  upload.start();
  await begun.promise;
  await upload.abort(true);
  expect((await fetch(upload.url ?? '')).status).toBe(404);
});
