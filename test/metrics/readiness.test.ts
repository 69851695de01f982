// What makes a process ready in a fleet, and what it only tells.

import { afterEach, expect, it, vi } from 'vitest';
import { createReadiness } from '../../src/metrics/readiness.ts';
import type { ReadinessOptions } from '../../src/metrics/readiness.ts';

const COUNTS = { queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };
const never = (): Promise<never> => Promise.withResolvers<never>().promise;
const away = (): Promise<never> => Promise.reject(new Error('away'));

function readiness(changes: Partial<ReadinessOptions>) {
  return createReadiness({
    queue: { counts: async () => COUNTS },
    store: { free: async () => undefined, stat: async () => undefined },
    videos: { capabilities: async () => ({ missing: [] }) as never },
    leaving: new AbortController().signal,
    isReachable: () => true,
    isStoreRemote: true,
    isWeb: true,
    ...changes,
  })();
}
afterEach(() => void vi.useRealTimers());
const store = (stat: () => Promise<undefined>) => ({ free: async () => undefined, stat });

it('all is well', async () => {
  expect(await readiness({})).toEqual({
    ready: true,
    checks: { process: { ok: true }, queue: { ok: true }, store: { ok: true }, ffmpeg: { ok: true } },
  });
});

it.each([
  ['Redis is known to be away', 'queue', { isReachable: () => false, queue: { counts: never } }],
  ['Redis fails', 'queue', { queue: { counts: away } }],
  ['Redis does not answer', 'queue', { queue: { counts: never } }],
  ['S3 fails', 'store', { store: store(away) }],
  ['S3 does not answer', 'store', { store: store(never) }],
] as const)(
  '%s: who answers stays ready and says so, who only works is not',
  async (_what, name, changes) => {
    for (const isWeb of [true, false]) {
      const { ready, checks } = await readiness({ ...changes, isWeb });
      expect(ready).toBe(isWeb);
      expect(checks[name]).toMatchObject({ ok: false });
    }
  },
);

it('on a machine of its own, the queue and the disk are needed', async () => {
  const alone = { isReachable: undefined, isStoreRemote: false };
  expect((await readiness(alone)).ready).toBe(true);
  expect((await readiness({ ...alone, queue: { counts: away } })).ready).toBe(false);
  expect((await readiness({ ...alone, store: { ...store(never), free: async () => 0 } })).ready).toBe(false);
});

it('before a remote store, a machine without room is not ready, whatever it does', async () => {
  for (const isWeb of [true, false]) {
    const { ready, checks } = await readiness({
      store: { ...store(async () => undefined), free: async () => 0 },
      isWeb,
    });
    expect(ready).toBe(false);
    expect(checks.store).toEqual({ ok: false, detail: 'the disk of this machine is full' });
  }
});

it('who leaves is not ready', async () => {
  expect((await readiness({ leaving: AbortSignal.abort() })).ready).toBe(false);
});

it('a remote store that answers is not asked again for a while', async () => {
  let asked = 0;
  const stat = async (): Promise<undefined> => {
    asked++;
    return undefined;
  };
  const look = createReadiness({
    queue: { counts: async () => COUNTS },
    store: store(stat),
    videos: { capabilities: async () => ({ missing: [] }) as never },
    leaving: new AbortController().signal,
    isReachable: () => true,
    isStoreRemote: true,
    isWeb: true,
  });
  await Promise.all([look(), look()]);
  await look();
  expect(asked).toBe(1);
});

it('a remote store that hangs is noticed within seconds, and so is that it is back', async () => {
  vi.useFakeTimers();
  let hangs = false;
  const look = createReadiness({
    queue: { counts: async () => COUNTS },
    store: store(async () => (hangs ? never() : undefined)),
    videos: { capabilities: async () => ({ missing: [] }) as never },
    leaving: new AbortController().signal,
    isReachable: () => true,
    isStoreRemote: true,
    isWeb: false,
  });
  const after = async (ms: number): Promise<boolean> => {
    await vi.advanceTimersByTimeAsync(ms);
    const looking = look();
    await vi.advanceTimersByTimeAsync(500);
    return (await looking).ready;
  };
  expect(await after(0)).toBe(true);
  hangs = true;
  expect(await after(10_000)).toBe(false);
  // What it said last holds for a while, and the question that was never answered for no longer than itself.
  hangs = false;
  expect(await after(3000)).toBe(false);
  expect(await after(5000)).toBe(true);
});
