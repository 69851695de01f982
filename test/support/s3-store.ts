// A store in an S3 bucket below a prefix of its own, with a folder of its own, and what lies in the bucket behind it.

import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import type { BlobStore } from '../../src/contracts.ts';
import { openS3Store } from '../../src/stores/s3.ts';
import type { S3StoreOptions } from '../../src/stores/s3.ts';
import type { TestS3 } from './s3.ts';

export interface TestS3Store extends AsyncDisposable {
  readonly store: BlobStore;
  readonly root: string;
  readonly prefix: string;
  /** Names of all objects there, without the prefix. */
  objects(): Promise<string[]>;
  /** How many uploads in parts are neither complete nor aborted; of the emulator, in all its buckets. */
  unfinished(): Promise<number>;
}

export async function openTestS3Store(
  s3: TestS3,
  options: Partial<S3StoreOptions> = {},
): Promise<TestS3Store> {
  const root = options.root ?? (await mkdtemp(join(tmpdir(), 'mediamill-store-')));
  const prefix = options.prefix ?? `${randomUUID()}/`;
  const credentials = { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey };
  const store = await openS3Store({
    bucket: s3.bucket,
    prefix,
    region: 'us-east-1',
    endpoint: s3.endpoint,
    pathStyle: true,
    credentials,
    root,
    owner: 'test',
    localBytes: 1 << 30,
    redirects: true,
    ...options,
  });
  const client = new S3Client({
    endpoint: s3.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials,
  });
  return {
    store,
    root,
    prefix,
    async objects() {
      const { Contents = [] } = await client.send(
        new ListObjectsV2Command({ Bucket: s3.bucket, Prefix: prefix }),
      );
      return Contents.map(({ Key = '' }) => Key.slice(prefix.length));
    },
    async unfinished() {
      if (s3.partsFolder !== undefined) return (await readdir(s3.partsFolder)).length;
      const { Uploads = [] } = await client.send(
        new ListMultipartUploadsCommand({ Bucket: s3.bucket, Prefix: prefix }),
      );
      return Uploads.length;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      client.destroy();
      if (options.root === undefined) await rm(root, { recursive: true, force: true });
    },
  };
}
