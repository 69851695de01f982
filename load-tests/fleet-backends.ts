// What machines of a fleet share: a Redis and an S3 of the run's own, gone afterwards.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { startFauxqs } from 'fauxqs';
import { freePort } from '../test/support/free-port.ts';
import { CheckFailed } from './check.ts';

export interface FleetBackends extends AsyncDisposable {
  /** Settings of the machines of one fleet. Those of another name share nothing with them. */
  settings(fleet: string): Record<string, string>;
}

/** Needs `redis-server` in the PATH, or where REDIS_SERVER_PATH says. */
export async function startFleetBackends(folder: string): Promise<FleetBackends> {
  await using stack = new AsyncDisposableStack();
  const place = await mkdtemp(join(folder, 'fleet-'));
  stack.defer(() => rm(place, { recursive: true, force: true }));
  const redisUrl = await startRedis(place, stack);
  const s3 = await startFauxqs({
    port: 0,
    host: '127.0.0.1',
    logger: false,
    s3StorageDir: join(place, 's3'),
  });
  stack.defer(() => s3.stop());
  const endpoint = `http://127.0.0.1:${s3.port}`;
  const keys = { accessKeyId: 'load', secretAccessKey: 'load' };
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: keys });
  await client.send(new CreateBucketCommand({ Bucket: 'load' }));
  client.destroy();
  const all = stack.move();
  return {
    settings: (fleet) => ({
      ...{ QUEUE: 'bullmq', REDIS_URL: redisUrl, REDIS_PREFIX: fleet },
      ...{ STORE: 's3', S3_ENDPOINT: endpoint, S3_BUCKET: 'load', S3_PREFIX: `${fleet}/` },
      ...{ S3_ACCESS_KEY: 'load', S3_SECRET_KEY: 'load' },
    }),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function startRedis(folder: string, stack: AsyncDisposableStack): Promise<string> {
  const port = await freePort();
  const child = spawn(
    process.env['REDIS_SERVER_PATH'] ?? 'redis-server',
    [
      ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', ''],
      ...['--appendonly', 'yes', '--maxmemory-policy', 'noeviction'],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const killAtExit = (): void => void child.kill('SIGKILL');
  process.once('exit', killAtExit);
  const ended = once(child, 'exit');
  stack.defer(async () => {
    child.kill('SIGTERM');
    await ended.catch(() => undefined);
    process.off('exit', killAtExit);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  createInterface(child.stdout).on('line', (line) => {
    if (/Ready to accept connections/.test(line)) resolve();
  });
  ended.then(
    () => reject(new CheckFailed('redis-server ended before it was ready')),
    (error: unknown) => reject(new CheckFailed(`redis-server cannot be started: ${String(error)}`)),
  );
  await promise;
  return `redis://127.0.0.1:${port}`;
}
