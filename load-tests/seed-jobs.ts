// Fills a queue's database with finished jobs, fast: the queue's own tables and documents, one transaction.

import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { advance, DEFAULT_TENANT, newJob } from '../src/jobs/job.ts';
import type { Job, OutputResult } from '../src/jobs/job.ts';
import { recipeSchema } from '../src/jobs/recipe.ts';
import { newId } from '../src/lib/id.ts';
import { QUEUE_MIGRATIONS } from '../src/queues/sqlite-schema.ts';
import { openConnection } from '../src/sqlite/connection.ts';

const POLICY = { maxAttempts: 3, ttlSeconds: 86_400 };
const DAY_MS = 86_400_000;
/** Jobs between two looks at the event loop. */
const CHUNK = 5000;

const RECIPE = recipeSchema.parse({
  outputs: {
    video: { type: 'transcode', format: 'mp4', height: 720 },
    poster: { type: 'thumbnail', width: 640 },
  },
});

/**
 * Stores `count` succeeded jobs, as if they had come evenly over the last hours, all of which will be kept for a while.
 * Returns `sample` of their ids, evenly spread. For a server that is started afterwards with this DATA_DIR.
 */
export async function seedJobs(
  dataDir: string,
  count: number,
  sample: number,
  onProgress: (done: number) => void = () => {},
): Promise<string[]> {
  const db = await openConnection(join(dataDir, 'mediamill.sqlite'), QUEUE_MIGRATIONS);
  try {
    // Nobody else is there, and after a power cut it is filled again: no journal at all.
    db.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN');
    const insert = db.prepare(
      `INSERT INTO jobs (id, revision, lane, status, priority, not_before, expires_at, document)
       VALUES (?, ?, ?, ?, ?, 0, ?, ?)`,
    );
    const ids: string[] = [];
    const every = count / Math.min(sample, count);
    const first = Date.now() - DAY_MS / 2;
    for (let i = 0; i < count; i++) {
      const job = finishedJob(first + Math.floor((i * DAY_MS) / 2 / count));
      const { id, revision, lane, status, priority, expiresAt } = job;
      insert.run(id, revision, lane, status, priority, expiresAt, JSON.stringify(job));
      if (i >= Math.floor(ids.length * every)) ids.push(id);
      if (i % CHUNK === 0) {
        onProgress(i);
        await nextTurn();
      }
    }
    db.exec('COMMIT; PRAGMA journal_mode = WAL');
    return ids;
  } finally {
    db.close();
  }
}

function finishedJob(createdAt: number): Job {
  const id = newId(createdAt);
  const source = {
    key: `sources/${id}`,
    name: 'holiday in the mountains.mov',
    mediaType: 'video/quicktime',
    bytes: 123_456_789,
    width: 1920,
    height: 1080,
    durationSeconds: 83.42,
  };
  const queued = newJob({ id, tenant: DEFAULT_TENANT, lane: 'video', source, recipe: RECIPE }, createdAt);
  const running = advance(queued, { type: 'start' }, createdAt + 200, POLICY);
  const result = (file: string, about: Omit<OutputResult, 'key' | 'width' | 'height'>): OutputResult => ({
    ...about,
    width: 1280,
    height: 720,
    key: `results/${id}/1/${file}`,
  });
  const results = {
    video: result('video.mp4', {
      mediaType: 'video/mp4',
      bytes: 23_456_789,
      durationSeconds: 83.42,
      decisions: ['picture encoded: 1080 lines are more than 720', 'sound copied: aac 128 kb/s is web-ready'],
    }),
    poster: result('poster.jpg', {
      mediaType: 'image/jpeg',
      bytes: 98_765,
      durationSeconds: null,
      decisions: [],
    }),
  };
  return advance(running, { type: 'succeed', results, warnings: [] }, createdAt + 42_000, POLICY);
}
