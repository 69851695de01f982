// The two modes of the test matrix: all on one machine, or, with TEST_MODE=fleet, jobs in Redis and blobs in S3.

import { createHash } from 'node:crypto';
import { readConfig } from '../../src/config.ts';
import type { Config } from '../../src/config.ts';

/** Where the backends of a run are, told by fleet-setup.ts to all its workers. */
export interface Backends {
  readonly redisUrl: string;
  readonly s3: Readonly<Record<string, string>>;
}

const BACKENDS = 'TEST_FLEET_BACKENDS';

export const isFleet = process.env['TEST_MODE'] === 'fleet';

export function tellBackends(backends: Backends): void {
  process.env[BACKENDS] = JSON.stringify(backends);
}

/**
 * The settings of this mode for a server with this data folder. In fleet mode two servers of one folder share jobs and blobs, those of
 * two folders share nothing, although all use one Redis and one bucket.
 */
export function modeSettings(dataDir: string): Record<string, string> {
  return isFleet ? fleetSettings(dataDir) : {};
}

/** What `modeSettings` gives in fleet mode. */
export function fleetSettings(fleet: string): Record<string, string> {
  const told = process.env[BACKENDS];
  if (told === undefined)
    throw new Error('TEST_MODE=fleet needs the backends of test/support/fleet-setup.ts');
  const { redisUrl, s3 } = JSON.parse(told) as Backends;
  const name = createHash('sha256').update(fleet).digest('hex').slice(0, 16);
  return {
    QUEUE: 'bullmq',
    REDIS_URL: redisUrl,
    REDIS_PREFIX: `test-${name}`,
    ...s3,
    S3_PREFIX: `${name}/`,
  };
}

/** Of a machine with two cores and 4 GiB, whatever this one has. */
export function configIn(dataDir: string, env: Readonly<Record<string, string>> = {}): Config {
  return readConfig(
    { ...modeSettings(dataDir), ...env, DATA_DIR: dataDir },
    { cores: 2, memoryBytes: 4 * 1024 ** 3 },
  );
}
