// Stored sources: files that were uploaded to be used by name, until they expire or are removed.

import { randomUUID } from 'node:crypto';
import type { BlobStore, Page, RecordKind, Records, Stored } from '../contracts.ts';
import { sourceMark } from '../lib/cache-key.ts';
import { isId } from '../lib/id.ts';
import { Problem } from '../problems.ts';
import { NO_PLACES } from './open-places.ts';
import type { OpenPlaces } from './open-places.ts';
import { SEGMENTS_FOLDER, segmentsOf, UPLOAD_PREFIX, uploadKey, UPLOADS_FOLDER } from './upload-names.ts';
import { isExpired, isWhole, newUpload, placeOf, statusOf, UPLOADS } from './upload-record.ts';
import type { UploadRecord, UploadStatus } from './upload-record.ts';

export { UPLOAD_PREFIX, UPLOAD_VERSION, uploadId, uploadKey } from './upload-names.ts';

/** One that is complete, and may be used as a source. */
export interface Upload {
  readonly id: string;
  readonly tenant: string;
  readonly name: string | null;
  readonly mediaType: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly expiresAt: number;
}

export interface Uploads {
  /** Undefined for one that is unknown, of another tenant, not complete, a part of another, or whose time has come. */
  find(id: string, tenant: string): Promise<Upload | undefined>;
  /** Also one that is not complete. */
  look(id: string, tenant: string): Promise<Stored<UploadRecord> | undefined>;
  /** Newest first. Without a status all but parts of others. A page may be short, and still have a next. */
  list(
    tenant: string,
    page: {
      readonly limit: number;
      readonly after?: string | undefined;
      readonly status?: UploadStatus | undefined;
    },
  ): Promise<Page<Stored<UploadRecord>>>;
  /** Notes a file that was stored as a whole under `uploadKey(id)`. Of an id that the tenant has: what is noted already. */
  add(id: string, upload: Pick<Upload, 'tenant' | 'name' | 'mediaType' | 'bytes'>): Promise<Upload>;
  /** Removes it and all that was made of it. False if there was none. */
  remove(id: string, tenant: string): Promise<boolean>;
  /** Removes all that is left of one whose record says that it is gone: its files, what was made of it, the record. */
  clear(id: string, tenant: string, mediaType?: string | null): Promise<void>;
  /** Removes those whose time has come, and files of no upload unless `strays` is null; `now` in milliseconds since 1970. Their number. */
  expire(now: number, strays?: StrayRules | null): Promise<number>;
}

/** Which files that nothing names are removed. */
export interface StrayRules {
  /** A younger one is just being stored, in milliseconds. */
  readonly afterMs: number;
  /** Asked before each is removed. Rejects where what is not known may only have been forgotten. */
  readonly assertKnown?: (() => Promise<void>) | undefined;
}

export interface UploadsOptions {
  readonly store: BlobStore;
  readonly records: Records;
  readonly places?: OpenPlaces;
  /** Forgets what was made of a source, by its mark. */
  readonly purge: (source: string) => Promise<void>;
  readonly ttlSeconds: number;
  /** Completes one whose bytes are all there: its process died. */
  readonly complete?: (id: string, tenant: string) => Promise<unknown>;
  /** Ends whoever sends it just now. */
  readonly stop?: (id: string) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** A file without a record is one that is just being stored, until it is so old, in milliseconds. */
const STRAY_AFTER_MS = 3_600_000;
const BATCH = 100;
/** Most pages that are looked at for one of the list. */
const MOST_LOOKS = 10;
/** Whoever sweeps, until this token is gone. */
const SWEEP: RecordKind<{ readonly token: string }> = { name: 'upload-sweep' };
const SWEEP_ID = 'all';
/** A sweep whose process died keeps others off for so long, in milliseconds. */
const SWEEP_LEASE_MS = 600_000;

export function createUploads(options: UploadsOptions): Uploads {
  const { store, records, places = NO_PLACES, purge, ttlSeconds, complete, stop } = options;
  const { now: clock = records.now } = options;

  const look: Uploads['look'] = async (id, tenant) => {
    const stored = isId(id) ? await records.get(UPLOADS, id) : undefined;
    return stored === undefined || stored.value.tenant !== tenant || isExpired(stored.value, clock())
      ? undefined
      : stored;
  };

  /** The source first: what is made of it after the purge finds nothing to be made of. The record last: a crash before is made good by the sweeper. */
  async function clear(id: string, tenant: string, mediaType?: string | null): Promise<void> {
    await store.delete(uploadKey(id));
    await store.delete(segmentsOf(id));
    // Of what is known to be no picture no rendition was ever made: a purge is told to all machines, and kept for them.
    if (mediaType === undefined || mediaType?.startsWith('image/') === true) {
      await purge(sourceMark(`${UPLOAD_PREFIX}${id}`, tenant));
    }
    await places.leave(id, tenant);
    await records.delete(UPLOADS, id);
  }

  async function sweepStrays(now: number, { afterMs, assertKnown }: StrayRules): Promise<number> {
    let count = 0;
    for (const prefix of [UPLOADS_FOLDER, SEGMENTS_FOLDER]) {
      for await (const { key, modifiedAt } of store.list(prefix)) {
        const id = key.split('/')[1] ?? '';
        if (modifiedAt + afterMs > now) continue;
        const record = (await records.get(UPLOADS, id))?.value;
        const isOurs =
          record !== undefined &&
          (prefix === UPLOADS_FOLDER
            ? record.completedAt !== null || isWhole(record)
            : record.segments.some((segment) => segment.key === key));
        if (isOurs) continue;
        await assertKnown?.();
        // Of none that is left, with its folder: nobody will write there again.
        await store.delete(record === undefined && prefix === SEGMENTS_FOLDER ? segmentsOf(id) : key);
        count++;
      }
    }
    return count;
  }

  async function sweep(now: number, strays: StrayRules | null): Promise<number> {
    let count = 0;
    for (;;) {
      const due = await records.due(UPLOADS, now, BATCH);
      let cleared = 0;
      for (const stored of due) {
        if (isExpired(stored.value, now)) {
          await clear(stored.id, stored.value.tenant, stored.value.mediaType);
          cleared++;
        } else {
          // Whatever it is refused for, whoever asks for it is told; the sweep goes on, and comes later each time.
          await complete?.(stored.id, stored.value.tenant).catch((error: unknown) => {
            if (!(error instanceof Problem)) throw error;
          });
        }
      }
      count += cleared;
      // What could not be completed may be due still: the next sweep tries again.
      if (due.length < BATCH || cleared === 0) break;
    }
    return strays === null ? count : count + (await sweepStrays(now, strays));
  }

  return {
    look,
    clear,

    async find(id, tenant) {
      const stored = await look(id, tenant);
      return stored && usable(stored);
    },

    async list(tenant, { limit, after, status }) {
      const now = clock();
      const items: Stored<UploadRecord>[] = [];
      let next = after;
      for (let looks = 0; looks < MOST_LOOKS && items.length < limit; looks++) {
        const rest = { group: tenant, limit: limit - items.length, after: next };
        const page: Page<Stored<UploadRecord>> = await records.list(UPLOADS, rest);
        for (const stored of page.items) {
          const { value } = stored;
          const isAsked = status === undefined ? value.concat !== 'partial' : statusOf(value) === status;
          if (isAsked && !isExpired(value, now)) items.push(stored);
        }
        if (page.next === null) return { items, next: null };
        next = page.next;
      }
      return { items, next: next ?? null };
    },

    async add(id, { tenant, name, mediaType, bytes }) {
      const now = clock();
      const asked = { tenant, name, length: bytes, metadata: null, concat: null };
      const expiresAt = now + ttlSeconds * 1000;
      const record = {
        ...newUpload({ ...asked, expiresAt }, now),
        offset: bytes,
        mediaType,
        completedAt: now,
      };
      if (await records.put(UPLOADS, id, record, placeOf(record, now), 0))
        return { id, tenant, name, mediaType, bytes, createdAt: now, expiresAt };
      const stored = await look(id, tenant);
      const known = stored && usable(stored);
      if (known === undefined) throw new Error('an upload of this id is there already');
      return known;
    },

    async remove(id, tenant) {
      for (;;) {
        const stored = await look(id, tenant);
        if (stored === undefined) return false;
        // Gone for everybody at once, whoever writes to it is fenced off, and the rest survives a crash.
        const now = clock();
        const gone: UploadRecord = { ...stored.value, writer: null, expiresAt: now };
        if (!(await records.put(UPLOADS, id, gone, { group: tenant, dueAt: now }, stored.version))) continue;
        stop?.(id);
        await clear(id, tenant, stored.value.mediaType);
        return true;
      }
    },

    async expire(now, strays = { afterMs: STRAY_AFTER_MS }) {
      const token = randomUUID();
      const place = { group: '', expiresAt: clock() + SWEEP_LEASE_MS };
      // Another process is at it.
      if (!(await records.put(SWEEP, SWEEP_ID, { token }, place, 0))) return 0;
      try {
        return await sweep(now, strays);
      } finally {
        const own = await records.get(SWEEP, SWEEP_ID);
        if (own?.value.token === token) await records.delete(SWEEP, SWEEP_ID, own.version);
      }
    },
  };
}

/** What may be used as a source. */
export function usable({ id, value }: Stored<UploadRecord>): Upload | undefined {
  const { tenant, name, mediaType, length, createdAt, expiresAt, completedAt, concat } = value;
  if (completedAt === null || concat === 'partial' || mediaType === null || length === null) return undefined;
  return { id, tenant, name, mediaType, bytes: length, createdAt, expiresAt };
}
