// Who is woken by which events, and that nobody misses one whatever happens to the reading of them.

import { afterEach, beforeEach, expect, it } from 'vitest';
import type { EventFilter, EventsLost, JobEvent } from '../../src/contracts.ts';
import { EventFeed } from '../../src/queues/event-feed.ts';
import type { Follower } from '../../src/queues/event-feed.ts';
import { followEvents } from '../../src/queues/follow-events.ts';
import { sqlitePoll } from '../../src/queues/sqlite-poll.ts';

const NEVER = 2 ** 31 - 1;

let kept: JobEvent[];
let newest: number;
let hear: (event: JobEvent) => void;
let feed: EventFeed;
beforeEach(() => {
  kept = [];
  newest = 0;
  hear = () => undefined;
  const reader = sqlitePoll({
    source: {
      between: (after, until, limit, of) =>
        kept
          .filter(({ sequence }) => sequence > after && sequence <= until)
          .filter(({ tenant, jobId }) =>
            of === undefined ? true : 'jobId' in of ? of.jobId === jobId : of.tenant === tenant,
          )
          .slice(0, limit),
      newest: () => newest,
      hasForgotten: (after) => after < newest && (kept[0]?.sequence ?? newest + 1) > after + 1,
      dataVersion: () => 0,
    },
    pollMilliseconds: NEVER,
    onTick: () => undefined,
    onError: () => undefined,
  });
  feed = new EventFeed(reader, (event) => hear(event));
});
afterEach(() => feed.close());

function happens(tenant: string, jobId: string): void {
  kept.push({ sequence: ++newest, tenant, jobId, type: 'progress', at: newest });
  feed.wake();
}

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

function enlist(of: EventFilter | undefined): { wakes: number } {
  const count = { wakes: 0 };
  const follower: Follower = { of, position: 0, isIdle: false, wake: () => undefined };
  feed.enlist(follower);
  const idle = (): void => {
    void feed.idle(follower);
    const { wake } = follower;
    follower.wake = () => {
      count.wakes++;
      wake();
      idle();
    };
  };
  idle();
  return count;
}

/** Everything that one reader takes, from now on. */
function read(of: EventFilter | undefined, after = 0): (JobEvent | EventsLost)[] {
  const taken: (JobEvent | EventsLost)[] = [];
  const stream = followEvents(feed, { of, after, signal: new AbortController().signal }, async (look) =>
    look(),
  );
  void (async () => {
    for await (const event of stream) taken.push(event);
  })();
  return taken;
}
const sequences = (taken: readonly { readonly sequence: number }[]): number[] =>
  taken.map(({ sequence }) => sequence);

it('an event wakes those whom it concerns and nobody else', async () => {
  const all = enlist(undefined);
  const one = enlist({ tenant: 'one' });
  const two = enlist({ tenant: 'two' });
  const job = enlist({ jobId: 'job of one' });
  for (let number = 0; number < 5; number++) {
    happens('one', 'other job');
    await turns(2);
  }
  expect([all.wakes, one.wakes, two.wakes, job.wakes]).toEqual([5, 5, 0, 0]);
  happens('one', 'job of one');
  await turns(2);
  expect([all.wakes, one.wakes, two.wakes, job.wakes]).toEqual([6, 6, 0, 1]);
});

it('what failed after an event was read costs no reader the event', async () => {
  const taken = read({ tenant: 'one' });
  await turns(3);
  hear = () => {
    throw new Error('the disk has a bad day');
  };
  happens('one', 'a');
  happens('two', 'b');
  happens('one', 'c');
  await turns(5);
  hear = () => undefined;
  happens('one', 'd');
  await turns(5);
  expect(sequences(taken)).toEqual([1, 3, 4]);
});

it('whoever waits hears that events were pruned before this process read them, and goes on', async () => {
  const idle = read({ tenant: 'one' });
  const ahead = read({ tenant: 'one' }, 3);
  await turns(3);
  for (let number = 0; number < 10; number++) happens('two', 'b');
  kept.splice(0, 5);
  await turns(5);
  expect([idle, ahead]).toEqual([[{ type: 'lost', sequence: 10 }], [{ type: 'lost', sequence: 10 }]]);
  happens('one', 'a');
  await turns(5);
  expect([sequences(idle), sequences(ahead)]).toEqual([
    [10, 11],
    [10, 11],
  ]);
});

it('what comes from memory and what comes from the file is the same', async () => {
  read(undefined);
  for (let number = 1; number <= 3000; number++)
    happens(number % 2 === 0 ? 'one' : 'two', `job ${number % 3}`);
  // 500 at once.
  await turns(10);
  const filters = [undefined, { tenant: 'one' }, { jobId: 'job 0' }];
  const cases = [0, 1500, 1999, 2000, 2001, 2950, 2999, 3000].flatMap((after) =>
    filters.map((of) => ({ after, of, taken: read(of, after) })),
  );
  await turns(1500);
  for (const { after, of, taken } of cases) {
    const wanted = kept
      .filter(({ sequence }) => sequence > after)
      .filter(({ tenant, jobId }) =>
        of === undefined ? true : 'jobId' in of ? of.jobId === jobId : of.tenant === tenant,
      );
    expect(sequences(taken), JSON.stringify({ after, of })).toEqual(sequences(wanted));
  }
});
