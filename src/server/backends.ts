// Where everything is kept: a folder of this machine, or the Redis and the bucket that all machines of a fleet share.

import { mkdir } from 'node:fs/promises';
import type { BlobStore, HintBus, Meters, Records } from '../contracts.ts';
import { createPurgeLog } from '../jobs/purge-log.ts';
import type { PurgeLog } from '../jobs/purge-log.ts';
import { openStoreOwner } from '../jobs/store-owner.ts';
import type { StoreOwner } from '../jobs/store-owner.ts';
import { assertNotMoved } from '../move/marker.ts';
import { Problem } from '../problems.ts';
import type { RedisPulse } from '../redis/pulse.ts';
import { openMeters, openRecords } from '../registers/open.ts';
import { useFolder } from '../sqlite/folder-use.ts';
import { openStore } from '../stores/open.ts';
import type { Life } from './life.ts';

export interface Backends {
  readonly records: Records;
  readonly meters: Meters;
  readonly store: BlobStore;
  /** To the processes of this machine, and to the other machines where there are any. */
  readonly hints: HintBus;
  /** Undefined where jobs and files are in one folder. */
  readonly storeOwner: StoreOwner | undefined;
  /** Undefined where there is one machine. */
  readonly fleet: Fleet | undefined;
}

/** What only machines have that share their work. */
export interface Fleet {
  /** Whether Redis answered when it was asked last, a moment ago. */
  readonly isReachable: () => boolean;
  /** What was purged, so that no machine misses it. */
  readonly purges: PurgeLog;
}

const LONGEST_WAIT_MS = 5000;

export async function openBackends(life: Life): Promise<Backends> {
  const { config, stack, meter, owner, log } = life;
  await mkdir(config.DATA_DIR, { recursive: true, mode: 0o700 });
  if (config.QUEUE === 'sqlite' || config.STORE === 'disk') {
    const folder = useFolder(config.DATA_DIR);
    stack.defer(() => folder[Symbol.dispose]());
    assertNotMoved(config);
  }
  const shared = config.QUEUE === 'bullmq' ? await openShared(life, config.REDIS_URL ?? '') : undefined;
  const hints = shared?.hints ?? life.hints;
  const records = await openRecords(config, log);
  stack.defer(() => records.close());
  const meters = await openMeters(config, log);
  stack.defer(() => meters.close());
  const store = meter.store(await openStore(config, { owner, log, now: records.now }));
  stack.defer(() => store.close());
  const isApart = config.QUEUE === 'bullmq' || config.STORE === 's3';
  const storeOwner = isApart ? await openStoreOwner({ records, store, log }) : undefined;
  if (shared === undefined) return { records, meters, store, storeOwner, hints, fleet: undefined };
  const { pulse } = shared;
  const purges = createPurgeLog({ records, hints, time: () => pulse.time() });
  const fleet = { isReachable: () => pulse.isReachable(), purges };
  return { records, meters, store, storeOwner, hints, fleet };
}

/** Loaded only where it is used: one machine needs nothing of it. */
async function openShared(
  { config, stack, meter: { metrics }, hints: local, log, machine }: Life,
  url: string,
): Promise<{ readonly hints: HintBus; readonly pulse: RedisPulse }> {
  const [{ openRedisPulse }, { fleetHints }, { assertFleetNotMoved }] = await Promise.all([
    import('../redis/pulse.ts'),
    import('../redis/fleet-hints.ts'),
    import('../move/fleet-marker.ts'),
  ]);
  const { REDIS_PREFIX: prefix } = config;
  const onRoundTrip = (seconds: number): void => metrics.redisSeconds.observe(seconds);
  const pulse = await openRedisPulse({ url, prefix, log, onRoundTrip });
  stack.defer(() => pulse.close());
  const hints = fleetHints({ local, url, prefix, machine, log });
  stack.defer(() => hints.close());
  // A move looks who listens when it has said that it moves: either we see that, or it sees us.
  await inTime(hints.heard);
  await assertFleetNotMoved(config, log);
  return { hints, pulse };
}

/** Rejects `backend_unavailable` where it takes longer than anybody should wait. */
async function inTime(done: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      reject(new Problem('backend_unavailable', 'Redis does not answer at the moment. It is tried again.')),
    LONGEST_WAIT_MS,
  );
  await Promise.race([done, late]).finally(() => clearTimeout(timer));
}
