// The seams to what all processes share beside jobs and files: small records, and counts.

import type { Page } from './contracts.ts';

/** A kind of record, which names the type of its values. */
export interface RecordKind<T> {
  readonly name: string;
  /** Never set: it only carries the type. */
  readonly value?: T;
}

export interface Stored<T> {
  readonly id: string;
  readonly value: T;
  /** More than 0, one more with each write. Of an id no version comes back, also if it was deleted and made anew. */
  readonly version: number;
}

/** Where a record is found, beside its id. */
export interface RecordPlace {
  /** Whose it is: a tenant, a job. */
  readonly group: string;
  /** From when on `due` tells it, in milliseconds since 1970. Null: never. */
  readonly dueAt?: number | null;
  /** From when on it is as if it were not there, in milliseconds since 1970. Null: never. */
  readonly expiresAt?: number | null;
}

/**
 * Small documents that all processes share: keys, uploads, deliveries, idempotent answers. What must not happen twice
 * is decided by compare-and-set: read, decide, `put` with the version that was read.
 */
export interface Records {
  /**
   * Milliseconds since 1970, as all count them who share these records, whatever their machines' clocks say: what one
   * writes down as a time, another compares with this.
   */
  readonly now: () => number;
  get<T>(kind: RecordKind<T>, id: string): Promise<Stored<T> | undefined>;
  /**
   * Writes if the stored version is still `version`, as `version + 1`; with 0 if there is none, as a version that this id
   * never had. False: somebody else was first, and nothing was written. Durable when it resolves.
   */
  put<T>(kind: RecordKind<T>, id: string, value: T, place: RecordPlace, version: number): Promise<boolean>;
  /** False if it was not there, or not of that version. */
  delete<T>(kind: RecordKind<T>, id: string, version?: number): Promise<boolean>;
  /** By id, the greatest first; `after` is the `next` of the page before. */
  list<T>(
    kind: RecordKind<T>,
    filter: {
      readonly group?: string | undefined;
      readonly limit: number;
      readonly after?: string | undefined;
    },
  ): Promise<Page<Stored<T>>>;
  /** Those whose time has come, the longest overdue first: at most `limit`. */
  due<T>(kind: RecordKind<T>, now: number, limit: number): Promise<readonly Stored<T>[]>;
  /** Removes those that have expired: at most `limit`. Their number. */
  prune(now: number, limit: number): Promise<number>;
  /** All that is kept, by kind and id: at most `limit` of those after `after`. For a move to another place. */
  dump(
    after: { readonly kind: string; readonly id: string } | undefined,
    limit: number,
  ): Promise<readonly KeptRecord[]>;
  /**
   * Takes a record over as another place had it, with its version, or with a higher one where this id may have had that
   * already. False if one of that kind and id is there: nothing is changed.
   */
  restore(kept: KeptRecord): Promise<boolean>;
  close(): Promise<void>;
}

/** A record with all that is kept of it. */
export interface KeptRecord extends Stored<unknown>, Required<RecordPlace> {
  readonly kind: string;
}

/** What a token bucket says. */
export interface Taken {
  readonly allowed: boolean;
  /** Whole tokens left. */
  readonly remaining: number;
  /** Milliseconds until the bucket is full again. */
  readonly resetMs: number;
  /** Milliseconds until the same may be taken; 0 if it was allowed. */
  readonly retryMs: number;
}

/**
 * Counts that all processes share. A crash may cost the last moments of them, never more; what a dead process held
 * (places, and what it had set aside) comes free when its lease runs out.
 */
export interface Meters {
  /** Takes `cost` tokens of a bucket that holds `burst` and gains `perMinute`. */
  take(
    bucket: string,
    limit: { readonly perMinute: number; readonly burst: number },
    cost?: number,
  ): Promise<Taken>;
  /** A place for `holder` among at most `most`; it is given back by `leave`, or after `leaseMs` without `renew`. False: all are taken. */
  enter(gate: string, most: number, holder: string, leaseMs: number): Promise<boolean>;
  renew(gate: string, holder: string, leaseMs: number): Promise<void>;
  leave(gate: string, holder: string): Promise<void>;
  /**
   * Adds to an account of a period; the account is forgotten after `until` (milliseconds since 1970). Resolves with the sum.
   * With `once`: only if nothing was spent under that name before, on whatever account; so it can be tried again.
   */
  spend(
    account: string,
    amount: number,
    until: number,
    once?: { readonly name: string; readonly until: number },
  ): Promise<number>;
  /** What was spent, without what is set aside. */
  spent(account: string): Promise<number>;
  /**
   * Sets `amount` aside for `holder`, so that nobody else can count on it: until it is spent, or given back by `settle`,
   * or `leaseMs` have passed since. False: what was spent and what others have set aside leave less than that of `most`.
   */
  reserve(account: string, amount: number, most: number, holder: string, leaseMs: number): Promise<boolean>;
  /**
   * Adds to an account like `spend`, and in the same moment leaves `left` set aside for `holder`, for another `leaseMs`;
   * with 0 nothing.
   */
  settle(
    account: string,
    amount: number,
    until: number,
    reserved: { readonly holder: string; readonly left: number; readonly leaseMs: number },
  ): Promise<number>;
  close(): Promise<void>;
}
