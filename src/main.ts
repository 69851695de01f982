// The entry: the primary of the cluster, or one of the processes that it forks.

import cluster from 'node:cluster';
import { runPrimary } from './cluster/primary.ts';
import { runProcess } from './cluster/process.ts';
import { OWNER_VARIABLE } from './cluster/messages.ts';
import { ConfigError, readConfig, threadPoolSize } from './config.ts';
import type { Config } from './config.ts';
import { createLogger } from './logger.ts';

function settings(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}

const config = settings();
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
