// The entry: the primary of the cluster, or one of the processes that it forks.

import cluster from 'node:cluster';
import { assertReach, needsKeys } from './access/reach.ts';
import { runPrimary } from './cluster/primary.ts';
import { runProcess } from './cluster/process.ts';
import { MACHINE_VARIABLE, OWNER_VARIABLE } from './cluster/messages.ts';
import { adviceOn, ConfigError, readConfig, threadPoolSize } from './config.ts';
import type { Config } from './config.ts';
import { createLogger } from './logger.ts';
import { assertNotMoved } from './move/marker.ts';
import { isAway } from './problems.ts';

async function settings(): Promise<Config> {
  try {
    const config = readConfig(process.env);
    // Said once, before anything is forked.
    if (cluster.isPrimary) assertNotMoved(config);
    if (cluster.isPrimary && config.ROLES.includes('web') && needsKeys(config)) await assertKeys(config);
    return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}

/** Looked at here too, and not only by each process: so it is said once, before anything is forked. */
async function assertKeys(config: Config): Promise<void> {
  const [{ openRecords }, { createKeys }] = await Promise.all([
    import('./registers/open.ts'),
    import('./access/keys.ts'),
  ]);
  try {
    const records = await openRecords(config);
    try {
      await assertReach(config, createKeys({ records }));
    } finally {
      await records.close();
    }
  } catch (error) {
    // Each process looks itself, as soon as it can.
    if (!isAway(error)) throw error;
  }
}

const config = await settings();
const log = createLogger(config);

if (cluster.isPrimary) {
  for (const advice of adviceOn(config)) log.warn(advice);
  // libuv reads it once, at its first use: only the environment at the fork is early enough.
  const pool = process.env['UV_THREADPOOL_SIZE'] ?? String(threadPoolSize(config));
  runPrimary({ config, log, env: { UV_THREADPOOL_SIZE: pool } });
} else {
  await runProcess({
    config,
    log,
    owner: process.env[OWNER_VARIABLE] ?? `process-${process.pid}`,
    machine: process.env[MACHINE_VARIABLE] ?? `machine-${process.ppid}`,
    // Loaded here and not above: the primary serves nothing and stays small.
    startServer: async (options) => (await import('./server.ts')).startServer(options),
  });
}
