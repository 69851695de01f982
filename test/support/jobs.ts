// Following jobs from outside, as a client does.

import { Agent } from 'node:http';
import { isFinished } from '../../src/jobs/job.ts';
import type { JobView } from '../../src/jobs/job-view.ts';
import { call } from './client.ts';
import type { Answer } from './client.ts';
import type { Program } from './program.ts';
import { forksOf } from './processes.ts';

export type { JobView };

export const jobIn = (answer: Answer): JobView => answer.json() as JobView;

/** Every job of a listing, page after page. `query` without `after`, e.g. `status=failed&limit=2`. */
export async function listJobs(address: string, query = 'limit=100'): Promise<JobView[]> {
  const jobs: JobView[] = [];
  for (let cursor = ''; ; ) {
    const answer = await call(address, `/v1/jobs?${query}${cursor}`);
    const page = answer.json() as { jobs: JobView[]; next: string | null };
    jobs.push(...page.jobs);
    if (page.next === null) return jobs;
    cursor = `&after=${encodeURIComponent(page.next)}`;
  }
}

export async function getJob(address: string, id: string, waitSeconds = 0): Promise<JobView> {
  const answer = await call(address, `/v1/jobs/${id}?wait=${waitSeconds}`);
  if (answer.status !== 200) throw new Error(`job ${id}: ${answer.status} ${answer.body.toString()}`);
  return jobIn(answer);
}

/** Long-polls until the job has ended, whatever way. */
export async function finishedJob(address: string, id: string, timeoutMs = 60_000): Promise<JobView> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const job = await getJob(
      address,
      id,
      Math.max(0, Math.min(10, Math.ceil((end - performance.now()) / 1000))),
    );
    if (isFinished(job)) return job;
    if (performance.now() >= end) {
      throw new Error(`job ${id} has not ended within ${timeoutMs / 1000} s: ${JSON.stringify(job)}`);
    }
  }
}

/**
 * The answer of every process (or of some) to one call, by its pid. A kept connection stays with one process; which one it is, the
 * log says: needs LOG_LEVEL=debug. Rejects if some process cannot be reached in many tries.
 */
export async function fromEveryProcess(
  program: Program,
  path: string,
  options: Parameters<typeof call>[2] = {},
  pids: readonly number[] = forksOf(program.pid),
): Promise<Map<number, Answer>> {
  const wanted = new Set(pids);
  const answers = new Map<number, Answer>();
  for (let tries = 0; tries < 20 * wanted.size; tries++) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      const since = program.log.length;
      const id = `who-${crypto.randomUUID()}`;
      await call(program.address, '/livez', { agent, headers: { 'x-request-id': id } });
      const { pid } = await program.waitFor(({ msg, reqId }) => msg === 'answered' && reqId === id, {
        since,
      });
      if (answers.has(pid) || !wanted.has(pid)) continue;
      answers.set(pid, await call(program.address, path, { ...options, agent }));
    } finally {
      agent.destroy();
    }
    if ([...wanted].every((pid) => answers.has(pid))) return answers;
  }
  throw new Error(`of ${[...wanted].join(', ')} only ${[...answers.keys()].join(', ')} answered ${path}`);
}
