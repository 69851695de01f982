// A real process that works on a queue: what it has said, and how it ends.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import type { JobQueue } from '../../src/contracts.ts';
import { aJob, untilStatus } from '../contracts/queue-jobs.ts';

export interface QueueProcess extends AsyncDisposable {
  /** Ids by what was said of them, in order. */
  readonly said: ReadonlyMap<string, readonly string[]>;
  /** Resolves once a word was said so many times. */
  heard(word: string, times: number): Promise<void>;
  /** Ends with its process: `SIGKILL` from one moment to the next, or by itself when asked kindly. */
  end(how: 'kill' | 'kindly'): Promise<void>;
}

/** `place` is where the queue is: the path of a database, or the URL of a Redis. `task` as of queue-process.ts. */
export function startQueueProcess(place: string, owner: string, ...task: string[]): QueueProcess {
  const script = join(import.meta.dirname, 'queue-process.ts');
  const child = spawn(process.execPath, [script, place, owner, ...task], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  const ended = once(lines, 'close');
  const said = new Map<string, string[]>();
  const listeners = new Set<() => void>();
  lines.on('line', (line) => {
    const [word, id] = line.split(' ') as [string, string];
    said.set(word, [...(said.get(word) ?? []), id]);
    for (const listener of listeners) listener();
  });
  const end = async (how: 'kill' | 'kindly'): Promise<void> => {
    if (how === 'kill') child.kill('SIGKILL');
    else child.stdin.end();
    await Promise.all([exited, ended]);
  };
  return {
    said,
    end,
    async heard(word, times) {
      const enough = Promise.withResolvers<void>();
      const look = (): void => {
        if ((said.get(word)?.length ?? 0) >= times) enough.resolve();
      };
      listeners.add(look);
      look();
      void exited.then(() =>
        enough.reject(new Error(`the process ended before it said "${word}" ${times} times`)),
      );
      await enough.promise;
      listeners.delete(look);
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await end('kill');
    },
  };
}

/** Adds so many jobs, waits until both processes have done them, and expects that each was worked on once. */
export async function expectEachOnce(
  queue: JobQueue,
  both: readonly QueueProcess[],
  count: number,
): Promise<void> {
  const jobs = await Promise.all(Array.from({ length: count }, () => queue.add(aJob())));
  for (const { id } of jobs) await untilStatus(queue, id, 'succeeded');
  await Promise.all(both.map((one) => one.end('kindly')));
  const all = (word: string): string[] => both.flatMap(({ said }) => said.get(word) ?? []).toSorted();
  const ids = jobs.map(({ id }) => id).toSorted();
  expect(all('started')).toEqual(ids);
  expect(all('settled')).toEqual(ids);
  expect(all('discarded')).toEqual([]);
}
