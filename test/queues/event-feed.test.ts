// Who waits for the end of a job is woken by it, and by nothing that the job does until then.

import { expect, it } from 'vitest';
import type { JobEvent } from '../../src/contracts.ts';
import { EventFeed } from '../../src/queues/event-feed.ts';
import type { FeedTold } from '../../src/queues/event-feed.ts';

const event = (sequence: number, type: JobEvent['type'], jobId = 'a'): JobEvent => ({
  ...{ sequence, type, jobId },
  tenant: 'default',
  at: 0,
});

function openFeed(): { readonly feed: EventFeed; readonly told: () => FeedTold } {
  let told: FeedTold | undefined;
  const feed = new EventFeed({
    begin(whom) {
      told = whom;
      return 0;
    },
    end: () => undefined,
    wake: () => undefined,
    past: () => ({ events: [], isLost: false }),
  });
  feed.hold();
  return { feed, told: () => told as FeedTold };
}

/** Whether it is resolved by now. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  const waits = {};
  return (await Promise.race([promise, Promise.resolve(waits)])) !== waits;
}

it.each(['succeeded', 'failed', 'cancelled', 'removed'] as const)('wakes for %s only', async (end) => {
  const { feed, told } = openFeed();
  using watch = feed.watch('a', new AbortController().signal);
  const before = (['queued', 'started', 'progress', 'output', 'retrying'] as const).map((type, at) =>
    event(at + 1, type),
  );
  told().events([...before, event(6, end, 'b')]);
  expect(await isOver(watch.woken)).toBe(false);
  told().events([event(7, end)]);
  expect(await isOver(watch.woken)).toBe(true);
});

it('wakes where events may have been missed', async () => {
  const { feed, told } = openFeed();
  using watch = feed.watch('a', new AbortController().signal);
  told().events([event(1, 'started', 'b')]);
  told().events([event(5, 'started', 'b')]);
  expect(await isOver(watch.woken)).toBe(true);

  using other = feed.watch('a', new AbortController().signal);
  told().rewind(2);
  expect(await isOver(other.woken)).toBe(true);
});
