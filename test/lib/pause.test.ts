// A wait that ends early with the reason that it was given.

import { expect, it } from 'vitest';
import { pause, rest } from '../../src/lib/pause.ts';

it.each(['before', 'meanwhile'])('ends with the reason of a signal that aborts %s', async (when) => {
  const reason = new Error('cancelled');
  const controller = new AbortController();
  if (when === 'before') controller.abort(reason);
  const waiting = pause(3_600_000, controller.signal);
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});

it('resolves when its time is over', async () => {
  await expect(pause(1, new AbortController().signal)).resolves.toBeUndefined();
});

it('is over, and nothing else, for whoever only rests', async () => {
  const controller = new AbortController();
  const resting = rest(3_600_000, controller.signal);
  controller.abort(new Error('cancelled'));
  await expect(resting).resolves.toBeUndefined();
  await expect(rest(1)).resolves.toBeUndefined();
});
