// Jobs written out for those who follow them: each is read and written once, however many streams of this process tell it.

import type { JobEvent, JobQueue } from '../contracts.ts';
import type { Job } from '../jobs/job.ts';
import { viewJob } from '../jobs/job-view.ts';
import { RecentMap } from '../lib/recent-map.ts';

export interface JobTexts {
  /** The job, as it is at the event or later; undefined once it is removed. */
  at(event: Pick<JobEvent, 'jobId' | 'sequence'>): Promise<Job | undefined>;
  /** Its view, as JSON. */
  textOf(job: Job): string;
}

/** Jobs that are kept: those of a backlog of a few hundred events. */
const KEPT = 256;

export function jobTexts(queue: Pick<JobQueue, 'get'>): JobTexts {
  // Of each job, what was read of it, and the newest event that had been told by then: it is no older than that.
  const recent = new RecentMap<string, { readonly asOf: number; readonly job: Promise<Job | undefined> }>(
    KEPT,
  );
  const texts = new WeakMap<Job, string>();
  let newest = 0;
  return {
    at({ jobId, sequence }) {
      newest = Math.max(newest, sequence);
      const known = recent.get(jobId);
      if (known !== undefined && known.asOf >= sequence) return known.job;
      const job = queue.get(jobId);
      recent.set(jobId, { asOf: newest, job });
      // One that could not be read is read again.
      job.catch(() => recent.delete(jobId));
      return job;
    },
    textOf(job) {
      const known = texts.get(job);
      if (known !== undefined) return known;
      const text = JSON.stringify(viewJob(job));
      texts.set(job, text);
      return text;
    },
  };
}
