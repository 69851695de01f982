// What the console knows of jobs when answers and events overtake one another.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ApiProblem } from '../../src/console/api.ts';
import type { Api, Job } from '../../src/console/api.ts';
import { createJobFeed } from '../../src/console/job-feed.ts';
import type { JobFeed } from '../../src/console/job-feed.ts';

/** In place of the browser's: its events come when the test says so. */
class Line extends EventTarget {
  static readonly CLOSED = 2;
  static last: Line;
  readyState = 1;
  constructor() {
    super();
    Line.last = this;
  }
  close(): void {
    this.readyState = Line.CLOSED;
  }
  tell(type: string, job: Partial<Job> & { id: string }): void {
    const data = JSON.stringify({ jobId: job.id, type, job: type === 'removed' ? null : job });
    this.dispatchEvent(new MessageEvent(type, { data }));
  }
}

const job = (id: string, status: Job['status']): Job =>
  ({ id, status, createdAt: `2026-01-01T00:00:0${id}Z` }) as Job;

/** Answers of the server, each of which the test lets go. */
function answering(): {
  api: Api;
  answers: { path: string; resolve(value: unknown): void; reject(error: Error): void }[];
} {
  const answers: ReturnType<typeof answering>['answers'] = [];
  const get = (path: string): Promise<never> =>
    new Promise((resolve, reject) => answers.push({ path, resolve, reject }));
  return { api: { get } as unknown as Api, answers };
}

let feed: JobFeed;
let server: ReturnType<typeof answering>;
beforeEach(() => {
  vi.stubGlobal('EventSource', Line);
  server = answering();
  feed = createJobFeed(server.api);
  feed.open();
});
afterEach(() => {
  feed.close();
  vi.unstubAllGlobals();
});
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('asks once the line is open, and an older answer does not undo what an event told', async () => {
  Line.last.dispatchEvent(new Event('open'));
  expect(feed.line).toBe('events');
  Line.last.tell('succeeded', job('1', 'succeeded'));
  Line.last.tell('removed', job('2', 'running'));
  server.answers[0]?.resolve({ jobs: [job('3', 'queued'), job('2', 'running'), job('1', 'running')] });
  await settle();
  expect(feed.all().map(({ id, status }) => [id, status])).toEqual([
    ['3', 'queued'],
    ['1', 'succeeded'],
  ]);
});

it('after lost events asks anew, also for jobs that the list does not show any more', async () => {
  Line.last.tell('started', job('1', 'running'));
  Line.last.dispatchEvent(new MessageEvent('reset', { data: '{}' }));
  server.answers[0]?.resolve({ jobs: [job('2', 'running')] });
  await settle();
  expect(server.answers[1]?.path).toBe('/v1/jobs/1');
  server.answers[1]?.reject(new ApiProblem({ status: 404 }));
  await settle();
  expect(feed.all().map(({ id }) => id)).toEqual(['2']);
});

it('polls where there is no stream, but not with a key that may not look', async () => {
  vi.useFakeTimers();
  try {
    Line.last.readyState = Line.CLOSED;
    Line.last.dispatchEvent(new Event('error'));
    expect(feed.line).toBe('polling');
    server.answers[0]?.resolve({ jobs: [job('1', 'succeeded')] });
    await vi.advanceTimersByTimeAsync(2000);
    expect(server.answers).toHaveLength(2);
    server.answers[1]?.reject(new ApiProblem({ status: 403 }));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(server.answers).toHaveLength(2);
  } finally {
    vi.useRealTimers();
  }
});

it('a broken line is left to the browser', () => {
  Line.last.dispatchEvent(new Event('open'));
  Line.last.readyState = 0;
  Line.last.dispatchEvent(new Event('error'));
  expect(feed.line).toBe('events');
});

it('pages go on where the last one ended, each status for itself', async () => {
  const more = feed.more('failed');
  server.answers[0]?.resolve({ jobs: [job('1', 'failed')], next: 'c1' });
  expect(await more).toBe(true);
  const rest = feed.more('failed');
  expect(server.answers[1]?.path).toBe('/v1/jobs?limit=50&status=failed&after=c1');
  server.answers[1]?.resolve({ jobs: [], next: null });
  expect(await rest).toBe(false);
  expect(await feed.more('failed')).toBe(false);
  void feed.more();
  expect(server.answers[2]?.path).toBe('/v1/jobs?limit=50');
});
