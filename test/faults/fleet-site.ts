// A fleet under fault: several real programs as hosts, one Redis, one S3, and a link from each host to each of the two.

import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { startS3Process } from '../support/s3-process.ts';
import type { S3Process } from '../support/s3-process.ts';
import { openLink } from './fleet-link.ts';
import type { Link } from './fleet-link.ts';
import { openSite } from './site.ts';
import type { Site } from './site.ts';

export interface Host {
  readonly name: string;
  readonly site: Site;
  readonly answers: boolean;
  readonly works: boolean;
  readonly links: { readonly redis: Link; readonly s3: Link };
}

export interface Fleet extends AsyncDisposable {
  readonly hosts: readonly Host[];
  readonly redis: TestRedis;
  readonly s3: S3Process;
  /** Of a host, or of one that looks on without a link: what it needs to reach the same jobs and blobs. */
  readonly settings: Readonly<Record<string, string>>;
  /** Of all hosts that answer HTTP. */
  readonly addresses: readonly string[];
}

export type Roles = 'web,work' | 'web' | 'work';

/** A host that starts while Redis is away for 20 s waits for it. */
const SERVING_MS = 90_000;

/** `roles`: those of each host. Resolves when all serve. */
export async function openFleet(
  roles: readonly Roles[],
  settings: Readonly<Record<string, string>>,
): Promise<Fleet> {
  await using stack = new AsyncDisposableStack();
  // What it has answered is not lost to kill -9, so whatever is lost is our fault and not that of its options.
  const redis = stack.use(await startRedis(['--appendfsync', 'always']));
  const s3 = stack.use(await startS3Process());
  const common = { QUEUE: 'bullmq', REDIS_URL: redis.url, ...s3.settings('fleet/'), ...settings };
  const hosts = await Promise.all(
    roles.map(async (role, index): Promise<Host> => {
      const links = { redis: stack.use(await openLink(redis.port)), s3: stack.use(await openLink(s3.port)) };
      const site = stack.use(
        await openSite(
          {
            ...common,
            PROCESSES: '1',
            VIDEO_SLOTS: '1',
            CHUNK_SLOTS: '1',
            ROLES: role,
            REDIS_URL: `redis://127.0.0.1:${links.redis.port}`,
            S3_ENDPOINT: `http://127.0.0.1:${links.s3.port}`,
          },
          { servingMs: SERVING_MS },
        ),
      );
      const host = { name: `${role.replace(',', '+')} ${index}`, site, links };
      return { ...host, answers: role.includes('web'), works: role.includes('work') };
    }),
  );
  const open = stack.move();
  return {
    hosts,
    redis,
    s3,
    settings: common,
    addresses: hosts.filter(({ answers }) => answers).map(({ site }) => site.address),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
