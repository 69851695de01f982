// One writer per process: transactions in order, what waits together is committed (and synced) together.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { asProblem, patiently } from './connection.ts';

interface Write {
  readonly run: () => unknown;
  readonly durable: boolean;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Bounds how long one commit holds the lock, and the event loop. */
const MAX_BATCH = 64;

/**
 * Everything asked for in one turn of the event loop becomes one IMMEDIATE transaction with one fsync:
 * a hundred uploads that end together cost one sync instead of a hundred, each of which blocks the loop.
 *
 * `durable` commits with synchronous=FULL, the rest (progress, heartbeats) with NORMAL, which a power cut may
 * take back and a killed process may not. Switching the pragma between transactions costs 0.4 µs; a second
 * connection would have cost a second page cache, and each would have to re-read what the other wrote.
 */
export class SqliteWriter {
  readonly #db: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #savepoint: StatementSync;
  readonly #release: StatementSync;
  #waiting: Write[] = [];
  #draining: Promise<void> | undefined;
  #full: boolean | undefined;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
    this.#savepoint = db.prepare('SAVEPOINT one');
    this.#release = db.prepare('RELEASE one');
  }

  /**
   * Runs `run` inside a transaction and resolves with what it returned, once that is committed. What it throws
   * undoes its own writes only. It may run again if the database was busy: it must not change anything else.
   * Rejects `storage_full`, `overloaded` (no lock for 10 s), or what `run` threw.
   */
  write<T>(run: () => T, { durable = true }: { readonly durable?: boolean } = {}): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ run, durable, resolve: (value) => resolve(value as T), reject });
      this.#draining ??= this.#drain();
    });
  }

  /** Resolves when nothing waits to be written. */
  async idle(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining;
  }

  async #drain(): Promise<void> {
    // After the poll phase: by then every socket that had something to say in this turn has said it.
    for (await nextTurn(); this.#waiting.length > 0; await nextTurn()) {
      const batch = this.#waiting.splice(0, MAX_BATCH);
      try {
        const answers = await patiently(() => this.#transact(batch));
        for (const answer of answers) answer();
      } catch (error) {
        for (const write of batch) write.reject(error);
      }
    }
    this.#draining = undefined;
  }

  /** Returns how each write is to be answered once it is known that the commit held. */
  #transact(batch: readonly Write[]): (() => void)[] {
    this.#synchronous(batch.some((write) => write.durable));
    this.#begin.run();
    try {
      const answers = batch.map((write) => this.#one(write));
      this.#commit.run();
      return answers;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #one(write: Write): () => void {
    this.#savepoint.run();
    try {
      const value = write.run();
      this.#release.run();
      return () => write.resolve(value);
    } catch (error) {
      // A full disk or an I/O error rolls back everything, the others' writes too: then the batch has failed.
      if (!this.#db.isTransaction || asProblem(error) !== error) throw error;
      this.#db.exec('ROLLBACK TO one; RELEASE one');
      return () => write.reject(error);
    }
  }

  #synchronous(full: boolean): void {
    if (this.#full === full) return;
    this.#db.exec(`PRAGMA synchronous = ${full ? 'FULL' : 'NORMAL'}`);
    this.#full = full;
  }
}
