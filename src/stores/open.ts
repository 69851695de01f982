// The store that the settings name.

import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { BlobStore } from '../contracts.ts';
import { openDiskStore } from './disk.ts';

export interface OpenStoreOptions {
  /** Unique per process life. */
  readonly owner: string;
  readonly log?: { warn(fields: object, message: string): void };
  /** The clock of all machines, in milliseconds since 1970. */
  readonly now?: () => number;
}

/** Rejects with an Error for people where the bucket of STORE=s3 cannot be used. */
export async function openStore(config: Config, options: OpenStoreOptions): Promise<BlobStore> {
  const { owner, log, now } = options;
  const root = join(config.DATA_DIR, 'store');
  if (config.STORE === 'disk') return openDiskStore({ root, owner });
  // Only here: the SDK is large, and a server of one machine has no need of it.
  const { openS3Store } = await import('./s3.ts');
  const { S3_ACCESS_KEY: accessKeyId, S3_SECRET_KEY: secretAccessKey } = config;
  return openS3Store({
    bucket: config.S3_BUCKET ?? '',
    prefix: config.S3_PREFIX,
    region: config.S3_REGION,
    endpoint: config.S3_ENDPOINT,
    pathStyle: config.S3_PATH_STYLE,
    credentials:
      accessKeyId === undefined || secretAccessKey === undefined
        ? undefined
        : { accessKeyId, secretAccessKey },
    root,
    owner,
    localBytes: config.S3_LOCAL_BYTES,
    redirects: config.S3_REDIRECTS,
    publicEndpoint: config.S3_PUBLIC_ENDPOINT,
    ...(log && { log }),
    ...(now && { now }),
  });
}
