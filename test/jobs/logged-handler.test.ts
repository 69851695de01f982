import { expect, it } from 'vitest';
import { JobAborted, Reroute } from '../../src/contracts.ts';
import type { JobContext, JobHandler } from '../../src/contracts.ts';
import { newJob } from '../../src/jobs/job.ts';
import type { Job } from '../../src/jobs/job.ts';
import { logged } from '../../src/jobs/logged-handler.ts';
import { Problem } from '../../src/problems.ts';
import { aJob, aResult, handler } from '../contracts/queue-jobs.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const job: Job = {
  ...newJob(aJob({ trace: `00-${TRACE}-00f067aa0ba902b7-01` }), 1000),
  status: 'running',
  attempt: 2,
  startedAt: 2000,
};
const facts = { jobId: job.id, traceId: TRACE, lane: 'image', attempt: 2 };

function recorded(inner: JobHandler): { handler: JobHandler; lines: [object, string][] } {
  const lines: [object, string][] = [];
  const log = { info: (fields: object, message: string) => void lines.push([fields, message]) };
  return { handler: logged(inner, log as Parameters<typeof logged>[1]), lines };
}
const context = (signal = new AbortController().signal): JobContext => ({
  signal,
  progress: () => undefined,
});

it('names the job, its trace and how it ended', async () => {
  const inner = handler();
  const { handler: log, lines } = recorded(inner);
  expect(await log.run(job, context())).toEqual(aResult());
  await log.settled({ ...job, status: 'succeeded', finishedAt: 5500 });
  const problem = new Problem('image_unreadable', 'It breaks off.').toDocument();
  await log.settled({ ...job, status: 'failed', finishedAt: 5500, problem });
  // Cancelled before it began; removed while it ran; from before there were traces.
  await log.settled({ ...job, status: 'cancelled', startedAt: null, finishedAt: 5500, trace: null });
  await log.settled(job);
  expect(lines).toEqual([
    [facts, 'job begun'],
    [{ ...facts, status: 'succeeded', seconds: 3.5 }, 'job ended'],
    [{ ...facts, status: 'failed', seconds: 3.5, code: 'image_unreadable' }, 'job ended'],
    [{ jobId: job.id, lane: 'image', attempt: 2, status: 'cancelled', seconds: null }, 'job ended'],
    [{ ...facts, status: 'removed', seconds: null }, 'job ended'],
  ]);
  expect(inner.ended).toHaveLength(4);
});

it.each([
  [new Problem('encoder_killed', 'SIGKILL'), 'encoder_killed'],
  [new TypeError('secret'), 'internal_error'],
  [new Reroute('film'), 'belongs into the lane film'],
])('says why an attempt was given up: %s', async (error, reason) => {
  const { handler: log, lines } = recorded(
    handler(() => {
      throw error;
    }),
  );
  await expect(log.run(job, context())).rejects.toBe(error);
  expect(lines[1]).toEqual([{ ...facts, seconds: expect.any(Number), reason }, 'attempt given up']);
});

it('says that it was stopped, whatever came of that', async () => {
  const { handler: log, lines } = recorded(
    handler(() => {
      throw new Error('a pipe broke');
    }),
  );
  const signal = AbortSignal.abort(new JobAborted('handed_back'));
  await expect(log.run(job, context(signal))).rejects.toThrow('a pipe broke');
  expect(lines[1]?.[0]).toMatchObject({ reason: 'handed_back' });
});
