// An S3 of one's own: the emulator inside the test's process, or the endpoint that TEST_S3_ENDPOINT names.

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { startFauxqs } from 'fauxqs';

export interface TestS3 extends AsyncDisposable {
  /** E.g. `http://127.0.0.1:41231`. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Of the emulator, which does not list them: where uploads in parts lie that are not complete. */
  readonly partsFolder?: string;
  /** Settings of a server that keeps its blobs there, below a prefix of its own each time it is called. */
  settings(prefix?: string): Record<string, string>;
}

/** Resolves with a bucket that is there. Each caller of a real endpoint gets prefixes of its own in the one bucket. */
export async function startS3(): Promise<TestS3> {
  const { TEST_S3_ENDPOINT, TEST_S3_ACCESS_KEY, TEST_S3_SECRET_KEY, TEST_S3_BUCKET } = process.env;
  if (TEST_S3_ENDPOINT !== undefined) {
    const real = {
      endpoint: TEST_S3_ENDPOINT,
      bucket: TEST_S3_BUCKET ?? 'mediamill-test',
      accessKey: TEST_S3_ACCESS_KEY ?? '',
      secretKey: TEST_S3_SECRET_KEY ?? '',
    };
    return { ...real, settings: settingsOf(real), [Symbol.asyncDispose]: async () => undefined };
  }
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-s3-'));
  const server = await startFauxqs({ port: 0, host: '127.0.0.1', logger: false, s3StorageDir: folder });
  const own = {
    endpoint: `http://127.0.0.1:${server.port}`,
    bucket: 'mediamill',
    accessKey: 'test',
    secretKey: 'test',
  };
  const client = new S3Client({
    endpoint: own.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: own.accessKey, secretAccessKey: own.secretKey },
  });
  await client.send(new CreateBucketCommand({ Bucket: own.bucket }));
  client.destroy();
  return {
    ...own,
    partsFolder: join(folder, '_multipart'),
    settings: settingsOf(own),
    async [Symbol.asyncDispose]() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function settingsOf({
  endpoint,
  bucket,
  accessKey,
  secretKey,
}: Pick<TestS3, 'endpoint' | 'bucket' | 'accessKey' | 'secretKey'>): TestS3['settings'] {
  return (prefix = `${randomUUID()}/`) => ({
    STORE: 's3',
    S3_ENDPOINT: endpoint,
    S3_BUCKET: bucket,
    S3_ACCESS_KEY: accessKey,
    S3_SECRET_KEY: secretKey,
    S3_PREFIX: prefix,
  });
}
