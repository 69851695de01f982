// Who may write to an upload. Nobody's lock is trusted: the record's version decides what counts, in one compare-and-set.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HintBus, Records, Stored } from '../contracts.ts';
import { Problem } from '../problems.ts';
import { placeOf, unknownUpload, UPLOADS } from './upload-record.ts';
import type { UploadRecord } from './upload-record.ts';

export interface Claims {
  /**
   * The upload with nobody writing to it. A writer is asked to end; one that neither ends nor says a word for
   * `patienceMs` is fenced off: what it writes from then on does not count. Whoever puts it together and lives is left
   * alone: then it is told as it stands, after as long. Rejects `source_not_found`, `upload_locked`.
   */
  quiet(id: string, tenant: string): Promise<Stored<UploadRecord>>;
  /** Takes a quiet upload, as `change` makes it. Undefined if somebody else was faster. */
  take(
    stored: Stored<UploadRecord>,
    change: Partial<UploadRecord>,
    joining: boolean,
  ): Promise<Claim | undefined>;
  /** Aborts when this process closes, with the Problem that says so. */
  readonly closing: AbortSignal;
  /** Asks those who write in this process to end, and waits for them. */
  close(): Promise<void>;
}

/** The right to write, until somebody else takes it. */
export interface Claim extends Disposable {
  readonly id: string;
  /** As this claim wrote it last. */
  readonly record: UploadRecord;
  /** Aborts when somebody else wants to go on, with the Problem that the client is told. */
  readonly stop: AbortSignal;
  /** Rejects `upload_locked` if the claim was lost, and `source_not_found` if the upload is gone: then nothing was written. */
  commit(change: Partial<UploadRecord>): Promise<void>;
}

export interface ClaimsOptions {
  readonly records: Records;
  readonly hints: HintBus;
  readonly look: (id: string, tenant: string) => Promise<Stored<UploadRecord> | undefined>;
  /** How long a writer that gives no sign is waited for, in milliseconds. */
  readonly patienceMs?: number;
  readonly now?: () => number;
}

const PATIENCE_MS = 2000;
const MOST_OTHERS = 3;
const LOOK_EVERY_MS = 25;
const ASK_EVERY_MS = 500;

export function createClaims(options: ClaimsOptions): Claims {
  const { records, hints, look, patienceMs = PATIENCE_MS, now = records.now } = options;
  const active = new Map<string, Set<AbortController>>();
  const closing = new AbortController();
  let idle = (): void => undefined;
  const stopAll = (id: string, why: Problem): void => {
    for (const controller of active.get(id) ?? []) controller.abort(why);
  };
  const unsubscribe = hints.subscribe((hint) => {
    if (hint.topic === 'upload') stopAll(hint.id, locked('Somebody else goes on with this upload.'));
  });

  function enter(id: string): AbortController {
    const controller = new AbortController();
    const writers = active.get(id) ?? new Set();
    active.set(id, writers.add(controller));
    if (closing.signal.aborted) controller.abort(stopping());
    return controller;
  }
  function leave(id: string, controller: AbortController): void {
    const writers = active.get(id);
    writers?.delete(controller);
    if (writers?.size === 0) active.delete(id);
    if (active.size === 0) idle();
  }

  const claimOf = (
    id: string,
    first: UploadRecord,
    firstVersion: number,
    controller: AbortController,
  ): Claim => {
    let record = first;
    let version = firstVersion;
    return {
      id,
      get record() {
        return record;
      },
      stop: controller.signal,
      async commit(change) {
        const next = { ...record, ...change };
        if (!(await records.put(UPLOADS, id, next, placeOf(next, now()), version))) {
          if ((await look(id, record.tenant)) === undefined) throw unknownUpload();
          throw locked('Somebody else goes on with this upload; these bytes do not count.');
        }
        record = next;
        version++;
      },
      [Symbol.dispose]: () => leave(id, controller),
    };
  };

  return {
    async quiet(id, tenant) {
      const begun = performance.now();
      let asked = Number.NEGATIVE_INFINITY;
      let sign = begun;
      let seen: Stored<UploadRecord> | undefined;
      let others = 0;
      let joins = false;
      for (;;) {
        const stored = await look(id, tenant);
        if (stored === undefined) throw unknownUpload();
        const { writer } = stored.value;
        if (writer === null) return stored;
        const at = performance.now();
        if (writer.token !== seen?.value.writer?.token) {
          // Others come too, such as the rest of a broken connection. But two that live are not to end each other for ever.
          if (others++ === MOST_OTHERS) throw locked('Others go on with it again and again.');
          asked = Number.NEGATIVE_INFINITY;
          sign = at;
          seen = stored;
          joins = false;
        } else if (writer.joining && stored.version !== seen.version) {
          sign = at;
          seen = stored;
          joins = true;
        }
        if (at - sign >= patienceMs) {
          const value: UploadRecord = { ...stored.value, writer: null };
          if (await records.put(UPLOADS, id, value, placeOf(value, now()), stored.version))
            return { id, value, version: stored.version + 1 };
          continue;
        }
        if (joins && at - begun >= patienceMs) return stored;
        if (!writer.joining && at - asked >= ASK_EVERY_MS) {
          asked = at;
          hints.publish({ topic: 'upload', id });
        }
        await sleep(Math.min(LOOK_EVERY_MS, patienceMs));
      }
    },

    async take({ id, value, version }, change, joining) {
      const token = randomUUID();
      const record: UploadRecord = { ...value, ...change, writer: { token, joining } };
      // Before the record says so: a newcomer's question must not come too early to be heard.
      const controller = enter(id);
      try {
        if (await records.put(UPLOADS, id, record, placeOf(record, now()), version))
          return claimOf(id, record, version + 1, controller);
      } catch (error) {
        leave(id, controller);
        throw error;
      }
      leave(id, controller);
      return undefined;
    },

    closing: closing.signal,

    async close() {
      closing.abort(stopping());
      for (const id of active.keys()) stopAll(id, stopping());
      if (active.size > 0) await new Promise<void>((resolve) => (idle = resolve));
      unsubscribe();
    },
  };
}

function locked(detail: string): Problem {
  return new Problem('upload_locked', `${detail} Ask by HEAD how far it is, and send the rest.`);
}

function stopping(): Problem {
  return new Problem('shutting_down', 'The server is stopping. What had come is kept: go on from there.');
}
