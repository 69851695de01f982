// A process of its own for the tests of queues: works on image jobs, and says on stdout what is certain.

import { localHints } from '../../src/lib/local-hints.ts';
import { openBullQueue } from '../../src/queues/bullmq.ts';
import { openSqliteQueue } from '../../src/queues/sqlite.ts';
import { aJob, untilStatus } from '../contracts/queue-jobs.ts';

const [place, owner, task] = process.argv.slice(2);
if (place === undefined || owner === undefined) throw new Error('usage: queue-process.ts place owner [add]');

const say = (word: string, id: string): void => void process.stdout.write(`${word} ${id}\n`);

const options = {
  owner,
  policy: { maxAttempts: 10, ttlSeconds: 600 },
  leaseSeconds: 60,
  maxWaiting: 10_000,
  hints: localHints<never>(),
  pollMilliseconds: 10,
  log: console,
};
// Each a machine of its own: they share nothing but Redis.
const queue = place.startsWith('redis:')
  ? await openBullQueue({ ...options, url: place, prefix: 'processes', machine: owner })
  : await openSqliteQueue({ ...options, path: place });
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
