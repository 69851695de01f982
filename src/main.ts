// The entry: the primary of the cluster, or one of the processes that it forks.

import cluster from 'node:cluster';
import { assertReach, needsKeys } from './access/reach.ts';
import { runPrimary } from './cluster/primary.ts';
import { runProcess } from './cluster/process.ts';
import { OWNER_VARIABLE } from './cluster/messages.ts';
import { ConfigError, readConfig, threadPoolSize } from './config.ts';
import type { Config } from './config.ts';
import { createLogger } from './logger.ts';

async function settings(): Promise<Config> {
  try {
    const config = readConfig(process.env);
    if (cluster.isPrimary && needsKeys(config)) await assertKeys(config);
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
  const records = await openRecords(config);
  try {
    await assertReach(config, createKeys({ records }));
  } finally {
    await records.close();
  }
}

const config = await settings();
const log = createLogger(config);

if (cluster.isPrimary) {
  // libuv reads it once, at its first use: only the environment at the fork is early enough.
  const pool = process.env['UV_THREADPOOL_SIZE'] ?? String(threadPoolSize(config));
  runPrimary({ config, log, env: { UV_THREADPOOL_SIZE: pool } });
} else {
  await runProcess({
    config,
    log,
    owner: process.env[OWNER_VARIABLE] ?? `process-${process.pid}`,
    // Loaded here and not above: the primary serves nothing and stays small.
    startServer: async (options) => (await import('./server.ts')).startServer(options),
  });
}
