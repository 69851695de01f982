// A process of its own for the tests of the embedded queue: works on image jobs, and says on stdout what is certain.

import { localHints } from '../../src/lib/local-hints.ts';
import { openSqliteQueue } from '../../src/queues/sqlite.ts';
import { aJob, untilStatus } from '../contracts/queue-jobs.ts';

const [path, owner, task] = process.argv.slice(2);
if (path === undefined || owner === undefined) throw new Error('usage: sqlite-process.ts path owner [add]');

const say = (word: string, id: string): void => void process.stdout.write(`${word} ${id}\n`);

const queue = await openSqliteQueue({
  path,
  owner,
  policy: { maxAttempts: 10, ttlSeconds: 600 },
  leaseSeconds: 60,
  maxWaiting: 10_000,
  hints: localHints(),
  pollMilliseconds: 10,
  log: console,
});
queue.work(
  'image',
  {
    async run(job, context) {
      say('started', job.id);
      context.progress({ progress: 0.5 });
      // A little later, so that the process can die in the middle.
      await new Promise((resolve) => setImmediate(resolve));
      return { outputs: {}, warnings: [] };
    },
    async discard(job) {
      say('discarded', job.id);
    },
    async settled(job) {
      say('settled', job.id);
    },
  },
  { concurrency: 6 },
);
// The end of stdin is how the test says goodbye; it also comes when the test itself dies.
process.stdin.once('end', () => void queue.close()).resume();
say('ready', owner);

if (task === 'add') {
  for (;;) {
    const jobs = await Promise.all([aJob(), aJob(), aJob()].map((job) => queue.add(job)));
    for (const { id } of jobs) say('added', id);
    // Not faster than the work, or the test would have thousands to look after.
    await untilStatus(queue, jobs[0]?.id ?? '', 'succeeded');
  }
}
