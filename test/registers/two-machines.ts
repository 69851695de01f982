// Two connections to one real Redis, below a new prefix, with one clock that the test moves: two machines, as far as an
// adapter can tell.

import { afterAll, beforeAll } from 'vitest';
import type { RedisRegisterOptions } from '../../src/registers/redis-register.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';

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
    let time = Date.now();
    const options = {
      url: server.url,
      prefix: `test-${(backends += 1)}`,
      log: { warn: () => undefined },
      now: () => time,
    };
    const [left, right] = await Promise.all([open(options), open(options)]);
    return {
      left,
      right,
      now: () => time,
      pass(milliseconds: number): void {
        time += milliseconds;
      },
      async close(): Promise<void> {
        await left.close();
        await right.close();
      },
    };
  };
}
