// When a machine takes no work: no room, or a store that is away.

import { expect, it } from 'vitest';
import { createGround } from '../../src/jobs/ground.ts';
import { Problem } from '../../src/problems.ts';

function here() {
  const state = { free: 1 as number | undefined, away: false, asked: 0, thrown: undefined as unknown };
  const store = {
    free: async () => state.free,
    async stat() {
      state.asked++;
      if (state.away) throw new Problem('backend_unavailable', 'away');
      return undefined;
    },
  };
  const handler = createGround(store).under({
    async run(what: string) {
      if (state.thrown !== undefined) throw state.thrown;
      return what;
    },
    discard: async () => 'discarded',
  });
  return { state, handler };
}

it('room is needed, where it is known', async () => {
  const { state, handler } = here();
  expect(await handler.able()).toBe(true);
  state.free = 0;
  expect(await handler.able()).toBe(false);
  state.free = undefined;
  expect(await handler.able()).toBe(true);
  expect(state.asked).toBe(0);
});

it('once work has met a store that is away, none is taken until it answers', async () => {
  const { state, handler } = here();
  Object.assign(state, { away: true, thrown: new Problem('backend_unavailable', 'away') });
  await expect(handler.run('a')).rejects.toBe(state.thrown);
  expect(await handler.able()).toBe(false);
  state.away = false;
  expect(await handler.able()).toBe(true);
  expect(await handler.able()).toBe(true);
  // The store is asked no more than is needed.
  expect(state.asked).toBe(2);
});

it('a store that does not answer is one that is away, and is asked once at a time', async () => {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let asked = 0;
  const stat = (): Promise<undefined> => {
    asked++;
    return promise;
  };
  const run = (): Promise<never> => Promise.reject(new Problem('storage_full', 'full'));
  const handler = createGround({ free: async () => undefined, stat }).under({ run });
  await handler.run().catch(() => undefined);
  expect(await Promise.all([handler.able(), handler.able()])).toEqual([false, false]);
  resolve(undefined);
  expect([await handler.able(), asked]).toEqual([true, 1]);
});

it('what else goes wrong says nothing about the store', async () => {
  const { state, handler } = here();
  Object.assign(state, { away: true, thrown: new Problem('encode_failed', 'bad') });
  await expect(handler.run('a')).rejects.toBe(state.thrown);
  expect(await handler.able()).toBe(true);
});

it('the handler is the same otherwise', async () => {
  const { handler } = here();
  expect([await handler.run('a'), await handler.discard()]).toEqual(['a', 'discarded']);
});
