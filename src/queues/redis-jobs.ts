// How jobs are found in the ledger in Redis: one at a time, page by page, and how many there are. Nothing is decided here.

import type { JobFilter, KeptJob, LaneStanding } from '../contracts.ts';
import { JOB_STATUSES, LANES } from '../jobs/job.ts';
import type { Job, JobStatus, Lane } from '../jobs/job.ts';
import { RecentMap } from '../lib/recent-map.ts';
import type { RedisLedger } from './redis-ledger.ts';

/** Parsed jobs kept for polling: those that clients watch now are few. */
const CACHED_JOBS = 256;

export class RedisJobs {
  readonly #ledger: RedisLedger;
  readonly #cache = new RecentMap<string, Job>(CACHED_JOBS);

  constructor(ledger: RedisLedger) {
    this.#ledger = ledger;
  }

  /** The very same object as long as the job has not changed: its document is neither sent nor parsed for a poll. */
  async get(id: string): Promise<Job | undefined> {
    for (;;) {
      const known = this.#cache.get(id);
      const answer = await this.#ledger.call('get', id, known?.revision ?? '');
      if (answer === 1) {
        if (known !== undefined && this.#cache.get(id) === known) return known;
        continue; // forgotten while it was asked for
      }
      this.#cache.delete(id);
      if (typeof answer !== 'string') return undefined;
      const job = JSON.parse(answer) as Job;
      this.#cache.set(id, job);
      return job;
    }
  }

  /** A Redis that lost its last second gives revisions a second time: what was read before says nothing. */
  forget(): void {
    this.#cache.clear();
  }

  async made(idempotencyKey: string): Promise<Job | undefined> {
    const doc = await this.#ledger.call('made', idempotencyKey);
    return typeof doc === 'string' ? (JSON.parse(doc) as Job) : undefined;
  }

  /** Newest first, those with an id before `before`; all of them without it. */
  page({ tenant, status }: JobFilter, before: string | undefined, limit: number): Promise<Job[]> {
    const ofTenant = tenant === undefined ? 'jobs' : `jobs:t:${tenant}`;
    const ofStatus = tenant === undefined ? `jobs:s:${status}` : `jobs:ts:${status}:${tenant}`;
    const from = before === undefined ? '+' : `(${before}`;
    const name = status === undefined ? ofTenant : ofStatus;
    return this.#range(name, from, '-', 'BYLEX', 'REV', 'LIMIT', 0, limit);
  }

  expired(now: number, limit: number): Promise<Job[]> {
    return this.#range('expiry', '-inf', now, 'BYSCORE', 'LIMIT', 0, limit);
  }

  endings(before: number, limit: number): Promise<Job[]> {
    return this.#range('endings', '-inf', `(${before}`, 'BYSCORE', 'LIMIT', 0, limit);
  }

  async counts(tenant = ''): Promise<Record<JobStatus, number>> {
    const asked = JOB_STATUSES.flatMap((status) => [status, tenant]);
    const counts = (await this.#ledger.call('counts', ...asked)) as number[];
    const entries = JOB_STATUSES.map((status, index) => [status, counts[index] ?? 0]);
    return Object.fromEntries(entries) as Record<JobStatus, number>;
  }

  async lanes(): Promise<Record<Lane, LaneStanding>> {
    const answer = (await this.#ledger.call('lanes', ...LANES)) as [number, number, string | null][];
    const entries = LANES.map((lane, index): [Lane, LaneStanding] => {
      const [waiting = 0, running = 0, oldest = null] = answer[index] ?? [];
      return [lane, { waiting, running, oldestSince: oldest === null ? null : Number(oldest) }];
    });
    return Object.fromEntries(entries) as Record<Lane, LaneStanding>;
  }

  async dump(after: string | undefined, limit: number): Promise<KeptJob[]> {
    const from = after === undefined ? '-' : `(${after}`;
    const answer = (await this.#ledger.call('dump', from, limit)) as (string | number)[];
    return Array.from({ length: answer.length / 3 }, (_, index) => {
      const [doc, key, owed] = answer.slice(index * 3) as [string, string, number];
      return {
        job: JSON.parse(doc) as Job,
        idempotencyKey: key === '' ? null : key,
        owed: owed === 1,
      };
    });
  }

  async #range(name: string, ...by: readonly (string | number)[]): Promise<Job[]> {
    const docs = (await this.#ledger.call('range', name, ...by)) as string[];
    return docs.map((doc) => JSON.parse(doc) as Job);
  }
}
