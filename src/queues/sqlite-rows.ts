// The statements of the embedded queue over jobs, leases and endings, each prepared once. No decisions are taken here.

import type { DatabaseSync } from 'node:sqlite';
import type { JobFilter, KeptJob } from '../contracts.ts';
import { JOB_STATUSES } from '../jobs/job.ts';
import type { Job, JobStatus, Lane } from '../jobs/job.ts';
import { prepareAll } from '../sqlite/prepare.ts';
import type { Prepared } from '../sqlite/prepare.ts';
import { EVENT_STATEMENTS } from './sqlite-events.ts';

export interface Lease {
  readonly jobId: string;
  readonly token: number;
}

/** Parsed jobs kept for polling: those that clients watch now are few. */
const CACHED_JOBS = 256;

const JOBS = {
  get: 'SELECT document FROM jobs WHERE id = ?',
  getNewer:
    'SELECT revision, CASE WHEN revision = ?2 THEN NULL ELSE document END AS document FROM jobs WHERE id = ?1',
  byKey: 'SELECT document FROM jobs WHERE idempotency_key = ?',
  next: `SELECT document FROM jobs WHERE status = 'queued' AND lane = ? AND not_before <= ?
    ORDER BY priority DESC, id LIMIT 1`,
  page: 'SELECT document FROM jobs WHERE id < ? ORDER BY id DESC LIMIT ?',
  pageOf: 'SELECT document FROM jobs WHERE status = ? AND id < ? ORDER BY id DESC LIMIT ?',
  tenantPage: 'SELECT document FROM jobs WHERE tenant = ? AND id < ? ORDER BY id DESC LIMIT ?',
  tenantPageOf:
    'SELECT document FROM jobs WHERE tenant = ? AND status = ? AND id < ? ORDER BY id DESC LIMIT ?',
  tenantCounts: 'SELECT status, count(*) AS jobs FROM jobs WHERE tenant = ? GROUP BY status',
  expired: 'SELECT document FROM jobs WHERE expires_at <= ? ORDER BY expires_at LIMIT ?',
  counts: 'SELECT status, jobs FROM counts',
  count: 'SELECT jobs FROM counts WHERE status = ?',
  insert: `INSERT INTO jobs (id, tenant, revision, lane, status, priority, not_before, idempotency_key, document)
    VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)`,
  move: `UPDATE jobs SET revision = ?, lane = ?, status = ?, not_before = ?, expires_at = ?, document = ?
    WHERE id = ?`,
  // Names no indexed column, so no index is touched.
  rewrite: 'UPDATE jobs SET revision = ?, document = ? WHERE id = ?',
  delete: 'DELETE FROM jobs WHERE id = ?',
  dump: `SELECT document, idempotency_key,
    EXISTS (SELECT 1 FROM endings WHERE job_id = jobs.id) AS owed FROM jobs WHERE id > ? ORDER BY id LIMIT ?`,
  expire: 'UPDATE jobs SET expires_at = ? WHERE id = ?',
} as const;

const LEASES = {
  grant: 'INSERT INTO leases (job_id, token, lane, owner, until) VALUES (?, ?, ?, ?, ?)',
  extend: 'UPDATE leases SET until = ? WHERE job_id = ? AND token = ?',
  held: 'SELECT 1 AS held FROM leases WHERE job_id = ? AND token = ?',
  live: 'SELECT count(*) AS live FROM leases WHERE lane = ? AND until > ?',
  expired: 'SELECT job_id, token FROM leases WHERE lane = ? AND until <= ? LIMIT 32',
  expiredOne: 'SELECT 1 AS expired FROM leases WHERE job_id = ? AND until <= ?',
  ofOwner: 'SELECT job_id, token FROM leases WHERE owner = ?',
  release: 'DELETE FROM leases WHERE job_id = ?',
} as const;

const ENDINGS = {
  note: 'INSERT INTO endings (sequence, job_id, at) VALUES (?, ?, ?)',
  // Below all events, whose sequences are above 0.
  noteEarlier: `INSERT INTO endings (sequence, job_id, at)
    SELECT min(coalesce(min(sequence), 0), 0) - 1, ?, ? FROM endings`,
  before:
    'SELECT document FROM endings JOIN jobs ON jobs.id = endings.job_id WHERE at < ? ORDER BY at LIMIT ?',
  forget: 'DELETE FROM endings WHERE job_id = ?',
} as const;

/** All statements, for the test that holds their query plans. */
export const STATEMENTS = {
  ...prefixed('jobs', JOBS),
  ...prefixed('leases', LEASES),
  ...prefixed('events', EVENT_STATEMENTS),
  ...prefixed('endings', ENDINGS),
};

type Row = Readonly<Record<string, unknown>>;

export class SqliteRows {
  readonly #jobs: Prepared<typeof JOBS>;
  readonly #leases: Prepared<typeof LEASES>;
  readonly #endings: Prepared<typeof ENDINGS>;
  readonly #cache = new Map<string, Job>();

  constructor(db: DatabaseSync) {
    this.#jobs = prepareAll(db, JOBS);
    this.#leases = prepareAll(db, LEASES);
    this.#endings = prepareAll(db, ENDINGS);
  }

  /** The job as it is in this transaction, parsed anew. */
  read(id: string): Job | undefined {
    return parse(this.#jobs.get.get(id));
  }

  /**
   * The committed job: the very same object as long as it has not changed, so neither is the document copied out
   * of SQLite nor parsed for a poll. Not inside a transaction: what is rolled back must not stay in the cache.
   */
  cached(id: string): Job | undefined {
    const known = this.#cache.get(id);
    const row = this.#jobs.getNewer.get(id, known?.revision ?? 0);
    if (known !== undefined && row?.['document'] === null) return known;
    this.#cache.delete(id);
    const job = parse(row);
    if (job === undefined) return undefined;
    if (this.#cache.size >= CACHED_JOBS) this.#cache.delete(this.#cache.keys().next().value ?? '');
    this.#cache.set(id, job);
    return job;
  }

  byKey(idempotencyKey: string): Job | undefined {
    return parse(this.#jobs.byKey.get(idempotencyKey));
  }

  /** The job of the lane that is to run next, if any may run at `now`. */
  next(lane: Lane, now: number): Job | undefined {
    return parse(this.#jobs.next.get(lane, now));
  }

  /** Newest first, those with an id before `before`. */
  page(filter: JobFilter, before: string, limit: number): Job[] {
    const { tenant, status } = filter;
    if (tenant === undefined) {
      return parseAll(
        status === undefined
          ? this.#jobs.page.all(before, limit)
          : this.#jobs.pageOf.all(status, before, limit),
      );
    }
    return parseAll(
      status === undefined
        ? this.#jobs.tenantPage.all(tenant, before, limit)
        : this.#jobs.tenantPageOf.all(tenant, status, before, limit),
    );
  }

  expired(now: number, limit: number): Job[] {
    return parseAll(this.#jobs.expired.all(now, limit));
  }

  counts(tenant?: string): Record<JobStatus, number> {
    const counted = tenant === undefined ? this.#jobs.counts.all() : this.#jobs.tenantCounts.all(tenant);
    const rows = new Map(counted.map((row) => [row['status'], Number(row['jobs'])]));
    return Object.fromEntries(JOB_STATUSES.map((status) => [status, rows.get(status) ?? 0])) as Record<
      JobStatus,
      number
    >;
  }

  count(status: JobStatus): number {
    return Number(this.#jobs.count.get(status)?.['jobs'] ?? 0);
  }

  insert(job: Job, idempotencyKey: string | undefined): void {
    const document = JSON.stringify(job);
    this.#jobs.insert.run(
      job.id,
      job.tenant,
      job.revision,
      job.lane,
      job.status,
      job.priority,
      idempotencyKey ?? null,
      document,
    );
  }

  /** Writes a job over its earlier self; a queued one may be claimed from `notBefore` on. The lane changes only with the status. */
  update(before: Job, after: Job, notBefore: number): void {
    const document = JSON.stringify(after);
    if (after.status === before.status) {
      this.#jobs.rewrite.run(after.revision, document, after.id);
    } else {
      const { revision, lane, status, expiresAt, id } = after;
      this.#jobs.move.run(revision, lane, status, notBefore, expiresAt, document, id);
    }
  }

  /** By id, the smallest first, those with an id after `after`. */
  dump(after: string, limit: number): KeptJob[] {
    return this.#jobs.dump.all(after, limit).map((row) => ({
      job: JSON.parse(row['document'] as string) as Job,
      idempotencyKey: row['idempotency_key'] as string | null,
      owed: row['owed'] === 1,
    }));
  }

  /** Says when a job that was inserted as finished expires. */
  expire({ id, expiresAt }: Job): void {
    this.#jobs.expire.run(expiresAt, id);
  }

  delete(id: string): void {
    this.#cache.delete(id);
    this.#jobs.delete.run(id);
    this.#leases.release.run(id);
    this.#endings.forget.run(id);
  }

  grant(job: Job, token: number, owner: string, until: number): void {
    this.#leases.grant.run(job.id, token, job.lane, owner, until);
  }

  /** False if the lease is no longer held. */
  extend({ jobId, token }: Lease, until: number): boolean {
    return this.#leases.extend.run(until, jobId, token).changes === 1;
  }

  holds({ jobId, token }: Lease): boolean {
    return this.#leases.held.get(jobId, token) !== undefined;
  }

  isExpired(jobId: string, now: number): boolean {
    return this.#leases.expiredOne.get(jobId, now) !== undefined;
  }

  /** Running jobs of the lane whose owners are alive. */
  live(lane: Lane, now: number): number {
    return Number(this.#leases.live.get(lane, now)?.['live'] ?? 0);
  }

  /** A few of the lane's leases that ran out: what is left comes with the next look. */
  expiredLeases(lane: Lane, now: number): Lease[] {
    return this.#leases.expired.all(lane, now).map(leaseOf);
  }

  leasesOf(owner: string): Lease[] {
    return this.#leases.ofOwner.all(owner).map(leaseOf);
  }

  release(jobId: string): void {
    this.#leases.release.run(jobId);
  }

  /** Notes that a job has ended; `sequence` is that of the event. */
  noteEnding(sequence: number, jobId: string, at: number): void {
    this.#endings.note.run(sequence, jobId, at);
  }

  /** Notes the end of a job that no event here tells of. */
  noteEarlierEnding(jobId: string, at: number): void {
    this.#endings.noteEarlier.run(jobId, at);
  }

  endings(before: number, limit: number): Job[] {
    return parseAll(this.#endings.before.all(before, limit));
  }

  forgetEnding(jobId: string): void {
    this.#endings.forget.run(jobId);
  }
}

function prefixed(prefix: string, statements: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(statements).map(([name, sql]) => [`${prefix}.${name}`, sql]));
}

function parse(row: Row | undefined): Job | undefined {
  const document = row?.['document'];
  return typeof document === 'string' ? (JSON.parse(document) as Job) : undefined;
}

function parseAll(rows: readonly Row[]): Job[] {
  return rows.map((row) => JSON.parse(row['document'] as string) as Job);
}

function leaseOf(row: Row): Lease {
  return { jobId: row['job_id'] as string, token: row['token'] as number };
}
