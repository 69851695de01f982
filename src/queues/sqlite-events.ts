// The events of the embedded queue: appended by the ledger, kept for whoever comes back, read by the feed.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { EventFilter, JobEvent } from '../contracts.ts';
import type { Job } from '../jobs/job.ts';
import { prepareAll } from '../sqlite/prepare.ts';
import type { Prepared } from '../sqlite/prepare.ts';

/** Which events are kept for resuming. */
interface Keeping {
  /** The newest ones, however old. */
  readonly least: number;
  /** Those that are younger, in milliseconds: one tenant's flood is not to cost the others what they have not seen. */
  readonly youngMs: number;
  /** No more than these, however young: some 200 MB. */
  readonly most: number;
}

const KEEPING: Keeping = { least: 10_000, youngMs: 600_000, most: 1_000_000 };
/** They are pruned once in so many, so that it costs nothing per event. */
const PRUNE_EVERY = 256;
/** Twice as many as come meanwhile: what a flood left behind shrinks, and no commit is held up by it. */
const PRUNED_AT_ONCE = 512;

const COLUMNS = 'sequence, job_id, tenant, type, output, at';
const RANGE = 'sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?';

export const EVENT_STATEMENTS = {
  append: 'INSERT INTO events (job_id, tenant, type, output, at) VALUES (?, ?, ?, ?, ?)',
  prune: 'DELETE FROM events WHERE sequence <= ?',
  between: `SELECT ${COLUMNS} FROM events WHERE ${RANGE}`,
  betweenOfTenant: `SELECT ${COLUMNS} FROM events WHERE tenant = ? AND ${RANGE}`,
  betweenOfJob: `SELECT ${COLUMNS} FROM events WHERE job_id = ? AND ${RANGE}`,
  news: 'SELECT 1 AS news FROM events WHERE job_id = ? AND sequence > ? LIMIT 1',
  time: 'SELECT at FROM events WHERE sequence = ?',
  oldest: 'SELECT min(sequence) AS sequence FROM events',
  newest: "SELECT seq FROM sqlite_sequence WHERE name = 'events'",
  // No row before the first event. https://www.sqlite.org/autoinc.html
  begin:
    "INSERT INTO sqlite_sequence (name, seq) SELECT 'events', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'events')",
  skip: "UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'events' AND seq < ?1",
} as const;

export class SqliteEvents {
  readonly #sql: Prepared<typeof EVENT_STATEMENTS>;
  readonly #dataVersion: StatementSync;
  readonly #keeping: Keeping;

  constructor(db: DatabaseSync, keeping = KEEPING) {
    this.#sql = prepareAll(db, EVENT_STATEMENTS);
    this.#dataVersion = db.prepare('PRAGMA data_version');
    this.#keeping = keeping;
  }

  /** Returns the event's sequence. */
  append(
    { id, tenant }: Pick<Job, 'id' | 'tenant'>,
    type: JobEvent['type'],
    at: number,
    output?: string,
  ): number {
    const sequence = Number(this.#sql.append.run(id, tenant, type, output ?? null, at).lastInsertRowid);
    if (sequence % PRUNE_EVERY === 0) this.#prune(sequence, at);
    return sequence;
  }

  /** Those after `sequence`, up to and with `until`, in order: at most `limit`. */
  between(sequence: number, until: number, limit: number, of?: EventFilter): JobEvent[] {
    const rows =
      of === undefined
        ? this.#sql.between.all(sequence, until, limit)
        : 'jobId' in of
          ? this.#sql.betweenOfJob.all(of.jobId, sequence, until, limit)
          : this.#sql.betweenOfTenant.all(of.tenant, sequence, until, limit);
    return rows.map((row) => ({
      sequence: row['sequence'] as number,
      jobId: row['job_id'] as string,
      tenant: row['tenant'] as string,
      ...(row['output'] !== null && { output: row['output'] as string }),
      type: row['type'] as JobEvent['type'],
      at: row['at'] as number,
    }));
  }

  /** The sequence of the newest event ever, 0 before the first. */
  newest(): number {
    return Number(this.#sql.newest.get()?.['seq'] ?? 0);
  }

  /** The next one's sequence is above `to`. */
  skip(to: number): void {
    this.#sql.begin.run();
    // What is kept from before counts as forgotten, so that there is no hole.
    if (Number(this.#sql.skip.run(to).changes) > 0) this.#sql.prune.run(to);
  }

  /** Whether some event after `sequence` is not kept any more. */
  hasForgotten(sequence: number): boolean {
    const newest = this.newest();
    return sequence < newest && (this.#oldest() ?? newest + 1) > sequence + 1;
  }

  /** Whether a job has events after `sequence`, or may have had some. */
  hasNews(jobId: string, sequence: number): boolean {
    return (
      // Of another database.
      sequence > this.newest() ||
      this.#sql.news.get(jobId, sequence) !== undefined ||
      this.hasForgotten(sequence)
    );
  }

  /** Differs from the last answer if another connection has committed since. Does not see our own commits. */
  dataVersion(): number {
    return Number(this.#dataVersion.get()?.['data_version']);
  }

  #oldest(): number | undefined {
    return (this.#sql.oldest.get()?.['sequence'] as number | null | undefined) ?? undefined;
  }

  /** From the oldest on, so that there is never a hole: a few of those that are old enough, all that are too many. */
  #prune(newest: number, now: number): void {
    const { least, youngMs, most } = this.#keeping;
    const last = Math.min((this.#oldest() ?? newest) + PRUNED_AT_ONCE - 1, newest - least);
    const at = this.#sql.time.get(last)?.['at'] as number | undefined;
    const isOld = at !== undefined && at <= now - youngMs;
    this.#sql.prune.run(Math.max(isOld ? last : 0, newest - most));
  }
}
