// What a machine needs under its feet to work on jobs: room on its disk, and a store that answers.

import { rest } from '../lib/pause.ts';
import type { BlobStore } from '../contracts.ts';
import { Problem } from '../problems.ts';

/** A store that takes longer is asked again; meanwhile whoever leaves does not wait for it. */
const PATIENCE_MS = 1000;

/** A handler of jobs or of parts. */
interface Worker {
  run(...args: never[]): Promise<unknown>;
}

interface Ground {
  /** The same handler, which says that it can do nothing while there is no room, or while the store is away. */
  under<H extends Worker>(handler: H): H & { able(): Promise<boolean> };
}

/** The store is asked only after work has met with something that jobs wait for; room is looked for each time. */
export function createGround(store: Pick<BlobStore, 'free' | 'stat'>): Ground {
  let isInDoubt = false;
  let looking: Promise<void> | undefined;

  async function able(): Promise<boolean> {
    if ((await store.free().catch(() => 0)) === 0) return false;
    if (isInDoubt) await lookInTime();
    return !isInDoubt;
  }

  /** Of what is not there, for all lanes at once: answered by a store that works. */
  async function look(): Promise<void> {
    try {
      await store.stat('readiness');
      isInDoubt = false;
    } catch {
      // It is asked again.
    } finally {
      looking = undefined;
    }
  }

  async function lookInTime(): Promise<void> {
    looking ??= look();
    const late = new AbortController();
    const timeout = rest(PATIENCE_MS, late.signal);
    await Promise.race([looking, timeout]);
    late.abort();
  }

  return {
    under(handler) {
      const run = async (...args: Parameters<typeof handler.run>): Promise<unknown> => {
        try {
          return await handler.run(...args);
        } catch (error) {
          if (Problem.from(error).kind.jobWaits === true) isInDoubt = true;
          throw error;
        }
      };
      return { ...handler, run, able };
    },
  };
}
