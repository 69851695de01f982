// The parts of the queue on BullMQ, put together: connections, ledger, tickets, places.

import type { HintBus } from '../contracts.ts';
import type { JobPolicy } from '../jobs/job.ts';
import { sharedClock, warnOfSkew } from '../redis/clock.ts';
import { closeRedis } from '../redis/connection.ts';
import { openRedis } from '../redis/open.ts';
import { BullClaims } from './bullmq-claims.ts';
import { OwedTickets } from './bullmq-owed.ts';
import { bullParts } from './bullmq-parts.ts';
import { MachineSlots } from './bullmq-slots.ts';
import { Tickets } from './bullmq-tickets.ts';
import { RedisFeed } from './redis-feed.ts';
import { RedisJobs } from './redis-jobs.ts';
import { RedisLedger } from './redis-ledger.ts';
import type { QueueLog } from './runner.ts';

export interface BullQueueOptions {
  /** `redis://` or `rediss://`. */
  readonly url: string;
  /** Of the fleet: all its keys begin with `{prefix}:`. */
  readonly prefix: string;
  /** Unique to this process, also among those that were before it. */
  readonly owner: string;
  /** The same for all processes of a machine, and for no other. */
  readonly machine: string;
  readonly policy: JobPolicy;
  readonly leaseSeconds: number;
  /** Jobs that may wait, all lanes together. */
  readonly maxWaiting: number;
  readonly hints: HintBus;
  readonly log?: QueueLog;
  /** Aborted when the process begins to leave: it takes no further job, and ends those that it has. */
  readonly leaving?: AbortSignal;
  /** Milliseconds since 1970; the time of Redis if not said. */
  readonly now?: () => number;
  /** Between looks for jobs whose owners are gone. Half a lease if not said. */
  readonly stalledMilliseconds?: number;
  /** Between looks for a free place of the machine, and for tickets that were never added. 5000 if not said. */
  readonly pollMilliseconds?: number;
}

/** What the queue is made of. */
export type BullRooms = Awaited<ReturnType<typeof openBullRooms>>;

const SILENT: QueueLog = { warn: () => undefined, error: () => undefined };
const POLL = 5000;
/** Milliseconds that a call of BullMQ's may take: longer than Redis holds a question. */
const TICKET_PATIENCE = 12_000;

/** Rejects `backend_unavailable` where Redis cannot be reached, and as openRedis does where it cannot be used. */
export async function openBullRooms(options: BullQueueOptions) {
  const { url, owner, machine, leaseSeconds, hints, log = SILENT, pollMilliseconds = POLL } = options;
  const prefix = `{${options.prefix}}:`;
  await using stack = new AsyncDisposableStack();
  const redis = stack.adopt(
    await openRedis({ url, log, name: 'mediamill ledger', advise: true }),
    closeRedis,
  );
  const bull = stack.adopt(
    await openRedis({ url, log, name: 'mediamill tickets', commandTimeout: TICKET_PATIENCE }),
    closeRedis,
  );
  const clock = options.now === undefined ? stack.use(await sharedClock(redis)) : undefined;
  if (clock !== undefined) warnOfSkew(clock, log);
  const now = options.now ?? ((): number => clock?.now() ?? Date.now());
  const ledger = new RedisLedger({ ...options, redis, prefix, now });
  const tickets = new Tickets({
    ...{ redis, blocking: bull, prefix: `${prefix}bull`, leaseSeconds, log },
    stalledMilliseconds: options.stalledMilliseconds ?? (leaseSeconds * 1000) / 2,
  });
  const slots = new MachineSlots({
    ...{ redis, prefix, machine, owner, leaseSeconds, now, log, pollMilliseconds },
  });
  const owed = new OwedTickets({ ledger, tickets, log, pollMilliseconds });
  const claims = new BullClaims({
    ...{ ledger, tickets, slots, owed, owner, leaseSeconds, now },
    onTaken: ({ id }) => hints.publish({ topic: 'cancel', id }),
    onFree: (lane) => hints.publish({ topic: 'work', lane }),
  });
  const parts = bullParts({
    ...{ redis, blocking: bull, prefix, slots, owner, leaseMs: leaseSeconds * 1000 },
    ...{ maxAttempts: options.policy.maxAttempts, read: (id) => ledger.read(id) },
    ...{ hints, leaving: options.leaving, log },
  });
  const jobs = new RedisJobs(ledger);
  const open = stack.move();
  return {
    parts,
    ...{ redis, bull, prefix, now, log, ledger, tickets, slots, owed, claims },
    jobs,
    reader: new RedisFeed({ ledger, redis, url, prefix, log, onRewind: () => jobs.forget() }),
    async close(): Promise<void> {
      await owed.close();
      await slots.close();
      await tickets.close();
      await open.disposeAsync();
    },
  };
}
