// The settings of a fleet: where what is shared lies, and what each machine does. A part of settings.ts.

import { z } from 'zod';
import { redisUrlMistake } from './lib/redis-url.ts';
import { auto, count, flag, list, MiB, namesOf } from './lib/setting-kinds.ts';

/** As of jobs/job.ts, which this file is below. */
const LANES = ['image', 'video', 'film', 'fetch'] as const;
/** Those of whole jobs, and that of parts. */
export const ALL_LANES = LANES.length + 1;

const storeUrl = z.url({
  protocol: /^https?$/,
  error: 'must be `http://host:port` or `https://host`, without the bucket',
});

export const fleetSettings = {
  QUEUE: z
    .enum(['sqlite', 'bullmq'])
    .default('sqlite')
    .describe(
      'Where jobs, keys, uploads, webhooks and counts are kept: `sqlite`, a file in DATA_DIR, for one machine; `bullmq`, in the Redis of REDIS_URL, for any number of them',
    ),
  REDIS_URL: z
    .string()
    .superRefine((url, context) => {
      const mistake = redisUrlMistake(url);
      if (mistake !== undefined) context.addIssue({ code: 'custom', message: mistake });
    })
    .optional()
    .describe(
      'Redis 6.2 or later, or Valkey, for QUEUE=bullmq: `redis://user:password@host:6379/0`, with `/`, `#`, `?`, `%` and `@` of the password percent-encoded. It must have `maxmemory-policy noeviction` and an append-only file',
    ),
  REDIS_PREFIX: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/i, 'must be 1 to 64 letters, digits, `_`, `.` and `-`')
    .default('mediamill')
    .describe('What all names in Redis begin with, so that several fleets can share one'),
  STORE: z
    .enum(['disk', 's3'])
    .default('disk')
    .describe(
      'Where sources and results are kept: `disk`, a folder in DATA_DIR; `s3`, the bucket S3_BUCKET of any S3-compatible store, which all machines reach',
    ),
  S3_ENDPOINT: storeUrl
    .optional()
    .describe('Address of the store, such as `http://minio:9000`; unset: that of AWS for S3_REGION'),
  S3_REGION: z
    .string()
    .regex(
      /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i,
      'must be a name such as `eu-west-1`: 1 to 63 letters, digits and `-`',
    )
    .default('us-east-1')
    .describe('Region of the bucket'),
  S3_BUCKET: z.string().min(3).max(63).optional().describe('The bucket; it must be there'),
  S3_PREFIX: z
    .string()
    .regex(/^(?:[a-z0-9_.-]+\/)*$/i, 'must be empty, or end with `/`: `mediamill/`')
    .default('')
    .describe('What all keys in the bucket begin with'),
  S3_ACCESS_KEY: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Access key; with S3_SECRET_KEY unset too: the credentials of the machine, as the AWS SDK finds them',
    ),
  S3_SECRET_KEY: z.string().min(1).optional().describe('Secret of S3_ACCESS_KEY'),
  S3_PATH_STYLE: auto(flag).describe(
    'Put the bucket into the path and not into the host name; auto: if S3_ENDPOINT is set',
  ),
  S3_REDIRECTS: flag
    .default(false)
    .describe(
      'Answer for a result of one file by redirecting to the store, with an address that holds for five minutes and needs no key; clients must reach S3_ENDPOINT (or S3_PUBLIC_ENDPOINT)',
    ),
  S3_PUBLIC_ENDPOINT: storeUrl
    .optional()
    .describe('The address of the store for clients, for S3_REDIRECTS, where it is another than S3_ENDPOINT'),
  S3_LOCAL_BYTES: count(MiB, 1024 * 1024 * MiB)
    .default(20 * 1024 * MiB)
    .describe(
      'Most bytes of blobs that a machine keeps in DATA_DIR as copies, for FFmpeg to read, beyond those in use',
    ),
  ROLES: list(namesOf(['web', 'work']))
    .default(['web', 'work'])
    .describe(
      'What this machine does, comma-separated: `web` answers HTTP, `work` runs jobs. Other roles than both need QUEUE=bullmq and STORE=s3',
    ),
  LANES: list(namesOf([...LANES, 'chunk']))
    .default([...LANES, 'chunk'])
    .describe(
      'The lanes that this machine works on, comma-separated: `image`, `video`, `film` (long videos), `fetch` (sources by URL), `chunk` (parts of films). Others than all need QUEUE=bullmq and STORE=s3',
    ),
} as const;
