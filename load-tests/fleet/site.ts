// One Redis, one store behind a counting proxy, and the hosts that are started on them, each the real program.

import { startRedis } from '../../test/support/redis.ts';
import { startS3Process } from '../../test/support/s3-process.ts';
import type { Context } from '../scenario.ts';
import { startServer } from '../server-process.ts';
import type { ServerProcess } from '../server-process.ts';
import { startCountingProxy } from './counting-proxy.ts';
import type { CountingProxy } from './counting-proxy.ts';
import { gaugeRedis } from './redis-usage.ts';
import type { RedisGauge } from './redis-usage.ts';

export interface FleetSite extends AsyncDisposable {
  readonly redis: RedisGauge;
  readonly redisUrl: string;
  readonly s3: CountingProxy;
  /** Another host. */
  start(processes: number): Promise<ServerProcess>;
}

export async function openSite({ signal, env }: Context): Promise<FleetSite> {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(await startRedis());
  const store = stack.use(await startS3Process());
  const s3 = stack.use(await startCountingProxy(store.endpoint));
  const gauge = stack.use(gaugeRedis(redis.url));
  const fleet = {
    QUEUE: 'bullmq',
    REDIS_URL: redis.url,
    ...store.settings('fleet/'),
    S3_ENDPOINT: s3.origin,
  };
  const open = stack.move();
  return {
    redis: gauge,
    redisUrl: redis.url,
    s3,
    start: (processes) => startServer({ signal, env: { ...fleet, ...env, PROCESSES: String(processes) } }),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
