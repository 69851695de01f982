// Tickets that nobody added: how they are made up for when there are many, by several, and while Redis is away.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { OwedTickets } from '../../src/queues/bullmq-owed.ts';
import { Tickets } from '../../src/queues/bullmq-tickets.ts';
import { RedisLedger } from '../../src/queues/redis-ledger.ts';
import { Problem } from '../../src/problems.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import { aJob } from '../contracts/queue-jobs.ts';
import { eventually } from '../support/eventually.ts';
import { bullFleet } from './bullmq-fixture.ts';

const fleet = bullFleet();
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe('tickets that are owed', () => {
  it('are all made up for when it is looked, however many', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const batches = [100, 100, 50].map((count) =>
      Array.from({ length: count }, () => ({ job: { ...aJob() } as never, hop: 1 })),
    );
    const add = vi.fn(async () => undefined);
    const owed = new OwedTickets({
      ledger: {
        owed: async () => ({ tickets: batches.shift() ?? [], isAll: batches.length === 0 }),
        settleTicket: async () => undefined,
      },
      tickets: { add },
      log: { warn: () => undefined, error: () => undefined },
      pollMilliseconds: 1000,
    });
    // One look: they are 750 to 1250 ms apart.
    vi.advanceTimersByTime(1250);
    await eventually('all are added', () => add.mock.calls.length === 250);
    await owed.close();
  });

  it('are told to one, and the next ones to the other', async () => {
    const dying = await fleet.open({ pollMilliseconds: 600_000 });
    const add = vi.spyOn(Tickets.prototype, 'add').mockRejectedValue(new Error('killed'));
    await Promise.all(Array.from({ length: 150 }, () => dying.add(aJob())));
    add.mockRestore();
    const redis = connectRedis({ url: fleet.server.url, name: 'test', log: { warn: () => undefined } });
    let time = Date.now() + 10_000;
    const ledger = new RedisLedger({
      ...{ redis, prefix: fleet.prefix, policy: { maxAttempts: 3, ttlSeconds: 60 }, maxWaiting: 1000 },
      now: () => time,
    });
    const [one, two] = [await ledger.owed(5000), await ledger.owed(5000)];
    expect([one.tickets.length, one.isAll, two.tickets.length, two.isAll]).toEqual([100, false, 50, true]);
    const told = new Set([...one.tickets, ...two.tickets].map(({ job }) => job.id));
    expect(told.size).toBe(150);
    // Whoever was told of them died.
    time += 5000;
    expect((await ledger.owed(5000)).tickets).toHaveLength(100);
    redis.disconnect();
  });

  it('are tried all, whichever of them cannot be added; said once', async () => {
    const warn = vi.fn();
    const tickets = Array.from({ length: 30 }, () => ({ job: { ...aJob() } as never, hop: 1 }));
    const added: unknown[] = [];
    let looks = 0;
    const owed = new OwedTickets({
      ledger: {
        owed: async () => ({ tickets: looks++ === 0 ? tickets : [], isAll: true }),
        settleTicket: async () => undefined,
      },
      tickets: {
        async add(job) {
          if (job === tickets[0]?.job || job === tickets[20]?.job) throw new Error('of this one');
          added.push(job);
        },
      },
      log: { warn, error: warn },
      pollMilliseconds: 1,
    });
    await eventually('it is said', () => warn.mock.calls.length > 0);
    await owed.close();
    expect(added).toHaveLength(28);
    expect(warn.mock.calls).toMatchObject([[{ failed: 2 }, expect.any(String)]]);
  });

  it('are looked for once at a time while Redis is away, and hold up nobody who closes', async () => {
    const looked = Promise.withResolvers<never>();
    const look = vi.fn(() => looked.promise);
    const owed = new OwedTickets({
      ledger: { owed: look, settleTicket: async () => undefined },
      tickets: { add: async () => undefined },
      log: { warn: () => undefined, error: () => undefined },
      pollMilliseconds: 1,
    });
    await eventually('a look', () => look.mock.calls.length > 0);
    // Resolves though the look never ends.
    await owed.close();
    expect(look).toHaveBeenCalledTimes(1);
    looked.reject(new Problem('backend_unavailable', 'Redis is away.'));
  });
});
