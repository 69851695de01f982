// What one of something costs Redis, the store and the machine that does it.

import { cpuSeconds, readTree } from '../process-tree.ts';
import type { CountingProxy } from './counting-proxy.ts';
import type { RedisGauge } from './redis-usage.ts';

export interface Cost {
  /** Commands, those inside scripts counted too. */
  readonly commands: number;
  /** Seconds of Redis' main thread. */
  readonly redisSeconds: number;
  /** Bytes between Redis and its clients. */
  readonly redisBytes: number;
  readonly s3Requests: number;
  /** Of these, those that write. */
  readonly s3Writes: number;
  /** Bytes to the store, and from it. */
  readonly s3In: number;
  readonly s3Out: number;
  /** Seconds of CPU of the server and everything that it starts. */
  readonly serverSeconds: number;
}

const FIELDS = [
  'commands',
  'redisSeconds',
  'redisBytes',
  's3Requests',
  's3Writes',
  's3In',
  's3Out',
  'serverSeconds',
] as const;

export const NOTHING = of(() => 0);

/** A cost field by field. */
function of(value: (field: keyof Cost) => number): Cost {
  return Object.fromEntries(FIELDS.map((field) => [field, value(field)])) as unknown as Cost;
}

export function times(cost: Cost, factor: number): Cost {
  return of((field) => cost[field] * factor);
}

export function sum(...costs: readonly Cost[]): Cost {
  return of((field) => costs.reduce((total, cost) => total + cost[field], 0));
}

/** Never below nothing: what idles beside it is taken off by its average. */
export function less(cost: Cost, other: Cost): Cost {
  return of((field) => Math.max(0, cost[field] - other[field]));
}

/** Field by field the median, so that a round in which something else happened does not count. */
export function typical(costs: readonly Cost[], middle: (values: readonly number[]) => number): Cost {
  return of((field) => middle(costs.map((cost) => cost[field])));
}

export interface Watched {
  readonly redis: RedisGauge;
  readonly s3: Pick<CountingProxy, 'passed'>;
  /** Pids of the servers. */
  readonly servers: readonly number[];
}

/** What was spent while `work` ran, and how long that took in seconds. */
export async function spending(
  { redis, s3, servers }: Watched,
  work: () => Promise<unknown>,
): Promise<{ readonly cost: Cost; readonly seconds: number }> {
  const look = async () => ({
    redis: await redis.read(),
    s3: s3.passed(),
    cpu: (await Promise.all(servers.map(readTree))).reduce((total, tree) => total + cpuSeconds(tree), 0),
    at: performance.now(),
  });
  const before = await look();
  await work();
  const after = await look();
  const kinds = Object.keys(after.s3.requests);
  const requests = (of: readonly string[]): number =>
    of.reduce((all, kind) => all + (after.s3.requests[kind] ?? 0) - (before.s3.requests[kind] ?? 0), 0);
  return {
    cost: {
      commands: after.redis.commands - before.redis.commands,
      redisSeconds: after.redis.cpuSeconds - before.redis.cpuSeconds,
      redisBytes: after.redis.bytes - before.redis.bytes,
      s3Requests: requests(kinds),
      s3Writes: requests(kinds.filter((kind) => kind === 'PUT' || kind === 'POST' || kind === 'DELETE')),
      s3In: after.s3.bytesIn - before.s3.bytesIn,
      s3Out: after.s3.bytesOut - before.s3.bytesOut,
      serverSeconds: after.cpu - before.cpu,
    },
    seconds: (after.at - before.at) / 1000,
  };
}
