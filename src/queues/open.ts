// Which queue the settings mean.

import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { HintBus, JobQueue } from '../contracts.ts';
import type { Logger } from '../logger.ts';
import { openSqliteQueue } from './sqlite.ts';

export interface OpenQueueOptions {
  /** Unique per process life. */
  readonly owner: string;
  /** The same for all processes of a machine. */
  readonly machine: string;
  readonly hints: HintBus;
  readonly log: Logger;
  /** Aborted when the process begins to leave. */
  readonly leaving?: AbortSignal;
}

export async function openQueue(
  config: Config,
  { owner, machine, hints, log, leaving }: OpenQueueOptions,
): Promise<JobQueue> {
  const common = {
    owner,
    policy: { maxAttempts: config.JOB_ATTEMPTS, ttlSeconds: config.JOB_TTL_SECONDS },
    leaseSeconds: config.JOB_LEASE_SECONDS,
    maxWaiting: config.JOB_QUEUE,
    hints,
    log,
    ...(leaving !== undefined && { leaving }),
  };
  if (config.QUEUE === 'sqlite') {
    return openSqliteQueue({ ...common, path: join(config.DATA_DIR, 'mediamill.sqlite') });
  }
  // Loaded only where it is used.
  const { openBullQueue } = await import('./bullmq.ts');
  return openBullQueue({ ...common, url: config.REDIS_URL ?? '', prefix: config.REDIS_PREFIX, machine });
}
