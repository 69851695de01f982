// The embedded queue's bookkeeping as the runner asks for it: each question a transaction of the writer, or a look without one.

import { rest } from '../lib/pause.ts';
import type { Job, JobAction, Lane, ProgressUpdate } from '../jobs/job.ts';
import type { SqliteWriter } from '../sqlite/writer.ts';
import type { Ledger, Standing, Taken, Taking } from './ledger.ts';
import type { SqliteClaim, SqliteLedger } from './sqlite-ledger.ts';

/** Milliseconds without a look at the queue after which this process was away; looks are a third of a second apart. */
const LONG_PAUSE = 2000;

export class SqliteClaims implements Ledger<SqliteClaim> {
  readonly #ledger: SqliteLedger;
  readonly #writer: SqliteWriter;
  /** Milliseconds between two heartbeats. */
  readonly #beat: number;
  /** When this process last looked for work, in milliseconds since 1970. */
  #lookedAt = Date.now();

  constructor(ledger: SqliteLedger, writer: SqliteWriter, leaseSeconds: number) {
    this.#ledger = ledger;
    this.#writer = writer;
    this.#beat = (leaseSeconds * 1000) / 3;
  }

  async take(lane: Lane, concurrency: number, taking: Taking): Promise<Taken<SqliteClaim> | undefined> {
    await this.#comeBack(taking);
    if (taking.signal.aborted) return undefined;
    // A look without the write lock.
    if (!this.#ledger.hasWork(lane, concurrency)) return undefined;
    return this.#writer.write(() => this.#ledger.claim(lane, concurrency));
  }

  async renew(claims: readonly SqliteClaim[]): Promise<readonly Standing[]> {
    await this.#writer.write(() => this.#ledger.extend(claims), { durable: false });
    return claims.map((claim) => this.#ledger.standing(claim));
  }

  async standing(claim: SqliteClaim): Promise<Standing> {
    return this.#ledger.standing(claim);
  }

  progress(claim: SqliteClaim, update: ProgressUpdate): Promise<boolean> {
    return this.#writer.write(() => this.#ledger.progress(claim, update), { durable: false });
  }

  finish(
    claim: SqliteClaim,
    action: JobAction,
    unwritten: ProgressUpdate | undefined,
  ): Promise<Job | undefined> {
    return this.#writer.write(() => this.#ledger.finish(claim, action, unwritten));
  }

  /** The lease went with the end. */
  leave(): void {}

  async isGone(id: string): Promise<boolean> {
    return this.#ledger.isGone(id);
  }

  /**
   * After a pause of this process or of the whole machine (sleep, SIGSTOP) every lease looks run out, our own too. Who
   * is alive shows it first; then what is still run out is taken over.
   */
  async #comeBack({ beat, signal }: Taking): Promise<void> {
    const away = Date.now() - this.#lookedAt;
    this.#lookedAt = Date.now();
    if (away < Math.max(2 * this.#beat, LONG_PAUSE)) return;
    await beat();
    await rest(this.#beat, signal);
    this.#lookedAt = Date.now();
  }
}
