// Two connections to one real Redis, below a new prefix: two machines, as far as an adapter can tell.

import { afterAll, beforeAll } from 'vitest';
import type { RedisRegisterOptions } from '../../src/registers/redis-register.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { twoSides } from './two-sides.ts';

/** One Redis for the whole file; what is returned opens an empty backend in it. */
export function twoMachines<T extends { close(): Promise<void> }>(
  open: (options: RedisRegisterOptions) => Promise<T>,
) {
  let server: TestRedis;
  let backends = 0;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server[Symbol.asyncDispose]());
  return async () => {
    const prefix = `test-${(backends += 1)}`;
    const log = { warn: () => undefined };
    return twoSides((now) => open({ url: server.url, prefix, log, now }));
  };
}
