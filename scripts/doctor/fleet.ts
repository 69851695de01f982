// Looks at what the machines of a fleet share: Redis and the bucket.

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Config } from '../../src/config.ts';
import { missing, ok, warning } from './finding.ts';
import type { Finding } from './finding.ts';

const QUIET = { warn: () => undefined };

/** Nothing where the settings name neither. Needs the packages. */
export async function fleet(config: Config): Promise<Finding[]> {
  const found: Finding[] = [];
  if (config.QUEUE === 'bullmq') found.push(...(await redis(config)));
  if (config.STORE === 's3') found.push(await bucket(config));
  if (config.QUEUE === 'bullmq' && config.STORE === 'disk') {
    found.push(
      warning(
        'store',
        'jobs are shared by all machines, but their files lie in DATA_DIR: another machine does not find them',
        'set STORE=s3, unless there is one machine',
      ),
    );
  }
  return found;
}

async function redis({ REDIS_URL: url = '', REDIS_PREFIX: prefix }: Config): Promise<Finding[]> {
  const [{ factsOf, openRedis }, { closeRedis }, { fleetProcesses }] = await Promise.all([
    import('../../src/redis/open.ts'),
    import('../../src/redis/connection.ts'),
    import('../../src/redis/fleet-processes.ts'),
  ]);
  try {
    const opened = await openRedis({ url, name: 'mediamill-doctor', log: QUIET, patience: 3000 });
    const facts = factsOf(await opened.info());
    const running = await fleetProcesses({ url, prefix, log: QUIET });
    // Many may not ask for it, and it is their business.
    const [, fsync] = await opened.config('GET', 'appendfsync').catch(() => []);
    await closeRedis(opened);
    const policy = facts['maxmemory_policy'] ?? 'unknown';
    return [
      ok('redis', `${facts['server_name'] ?? 'Redis'} ${facts['redis_version'] ?? ''} answers`),
      policy === 'noeviction'
        ? ok('eviction', 'none')
        : missing(
            'eviction',
            `maxmemory-policy is ${policy}: Redis throws jobs away when its memory is full`,
            'set `maxmemory-policy noeviction` in redis.conf',
          ),
      facts['aof_enabled'] === '1'
        ? ok('aof', 'the append-only file is on')
        : warning(
            'aof',
            'the append-only file is off: a restart of Redis loses jobs',
            'set `appendonly yes` in redis.conf',
          ),
      ...(facts['aof_enabled'] === '1' ? appendFsync(fsync) : []),
      // A prefix that is mistyped is a fleet of its own, where nobody is.
      ok(
        'fleet',
        running === 0
          ? `no other process yet under REDIS_PREFIX=${prefix}`
          : `${running === 1 ? '1 process runs' : `${running} processes run`} under REDIS_PREFIX=${prefix}`,
      ),
    ];
  } catch (error) {
    return [
      missing(
        'redis',
        error instanceof Error ? error.message : 'does not answer',
        'docs/running.md, "What Redis must be"',
      ),
    ];
  }
}

/** https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/ */
function appendFsync(value: unknown): Finding[] {
  if (value === 'always') return [ok('fsync', 'what Redis has answered is on its disk')];
  if (value !== 'everysec' && value !== 'no') return [];
  const lost = value === 'everysec' ? 'up to a second' : 'up to half a minute';
  return [
    warning(
      'fsync',
      `appendfsync is ${value}: a crash of Redis' machine loses ${lost} of jobs that were answered 202`,
      'set `appendfsync always` in redis.conf, or accept that: docs/running.md, "What Redis must be"',
    ),
  ];
}

/** Puts a small object and removes it again. */
async function bucket(config: Config): Promise<Finding> {
  const { openStore } = await import('../../src/stores/open.ts');
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-doctor-'));
  const key = `doctor/${randomUUID()}`;
  try {
    const store = await openStore({ ...config, DATA_DIR: folder }, { owner: 'doctor', log: QUIET });
    try {
      await store.put(key, Readable.from([Buffer.from('x')]), { maxBytes: 1 });
      await store.delete(key);
    } finally {
      await store.close();
    }
    return ok('bucket', `${config.S3_BUCKET ?? ''} can be written`);
  } catch (error) {
    const cure = 'docs/running.md, "What the store must be"';
    return missing('bucket', error instanceof Error ? error.message : 'cannot be used', cure);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
