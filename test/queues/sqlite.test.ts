// The embedded queue keeps the contract: two connections to one file are as good as two processes.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HintBus, JobQueue } from '../../src/contracts.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { openSqliteQueue } from '../../src/queues/sqlite.ts';
import { queueContract } from '../contracts/queue.ts';
import type { QueueBackend } from '../contracts/queue-sides.ts';

queueContract('the SQLite queue with hints', () => openBackend(localHints()));
// Losing a hint only costs time: everything holds without any.
queueContract('the SQLite queue without hints', () =>
  openBackend({ publish: () => undefined, subscribe: () => () => undefined }),
);

async function openBackend(hints: HintBus): Promise<QueueBackend> {
  const folder = await mkdtemp(join(tmpdir(), 'sqlite-queue-'));
  const path = join(folder, 'jobs.db');
  const queues: JobQueue[] = [];
  let passed = 0;
  const now = (): number => Date.now() + passed;
  return {
    now,
    async connect(options) {
      const queue = await openSqliteQueue({ ...options, path, hints, now, pollMilliseconds: 20 });
      queues.push(queue);
      return queue;
    },
    async pass(milliseconds) {
      passed += milliseconds;
    },
    async close() {
      await Promise.all(queues.map((queue) => queue.close()));
      await rm(folder, { recursive: true });
    },
  };
}
