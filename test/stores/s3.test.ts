import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { openS3Store } from '../../src/stores/s3.ts';
import { storeContract } from '../contracts/store.ts';
import { startS3 } from '../support/s3.ts';
import type { TestS3 } from '../support/s3.ts';

let s3: TestS3;
beforeAll(async () => {
  s3 = await startS3();
});
afterAll(async () => {
  await s3[Symbol.asyncDispose]();
});

storeContract('S3Store', async () => {
  const root = await mkdtemp(join(tmpdir(), 'mediamill-store-'));
  const store = await openS3Store({
    bucket: s3.bucket,
    prefix: `${randomUUID()}/`,
    region: 'us-east-1',
    endpoint: s3.endpoint,
    pathStyle: true,
    credentials: { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey },
    root,
    owner: 'test',
    localBytes: 1 << 30,
    redirects: true,
  });
  return {
    store,
    async end() {
      await store.close();
      await rm(root, { recursive: true, force: true });
    },
  };
});
