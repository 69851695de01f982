// Whose a shared store is. What no job knows is removed only where the jobs that are known are certainly those of this store.

import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { BlobStore, RecordKind, Records } from '../contracts.ts';

/** What claims a store; a move has no more of its places. */
export interface Claimed {
  readonly records: Pick<Records, 'get' | 'restore'>;
  readonly store: Pick<BlobStore, 'list' | 'put'>;
}

export interface StoreOwner {
  /** Whether nobody else has marked the store, nor was anything there before these records. If not, it is said what to do. */
  isSole(): Promise<boolean>;
  /** Rejects where the records were lost or changed for others since `isSole`: what they do not know may be needed. */
  assertSame(): Promise<void>;
}

/** The id under which the records mark their store. It is not moved with the others: `handOver` sees to it. */
export const STORE_OWNER: RecordKind<{ readonly id: string }> = { name: 'store-owner' };
const OWNER_ID = 'store';
const MARKS = 'owners/';
/** Stands for whoever made the files that were there before the first mark. */
const UNKNOWN = `${MARKS}unknown`;
const WITH_FILES = ['sources/', 'results/', 'chunks/', 'uploads/', 'segments/'];

/**
 * Marks the store as that of these records, and resolves with the marks of others. Redis may be flushed, come back empty or
 * be another than yesterday's; two installations may share one bucket: then these records have an id that the store does
 * not know, both see two marks, and neither removes what it does not know. `id`: of records without one, for a move.
 */
export async function claimStore({ records, store }: Claimed, id?: string): Promise<readonly string[]> {
  const own = `${MARKS}${await ownId(records, id)}`;
  let marks = await marksIn(store);
  if (!marks.includes(own)) {
    // Another process of ours may have marked it after the first look, and have begun to work: a second look sees that.
    if (marks.length === 0 && (await hasFiles(store)) && (await marksIn(store)).length === 0) {
      await mark(store, UNKNOWN);
    }
    await mark(store, own);
    marks = await marksIn(store);
  }
  return marks.filter((key) => key !== own);
}

/** Before a move: the store at `to` is that of the records which come there, also if the move is given up and begun anew. */
export async function handOver(from: Pick<Claimed, 'records'>, to: Claimed): Promise<void> {
  await claimStore(to, await ownId(from.records));
}

/** Marks the store before anything is kept in it. */
export async function openStoreOwner({
  records,
  store,
  log,
}: Claimed & { readonly log: { error(fields: object, message: string): void } }): Promise<StoreOwner> {
  await claimStore({ records, store });
  let sole: string | undefined;
  return {
    async isSole() {
      // Before the look, so that what changes during it is noticed.
      sole = await ownId(records);
      const others = await claimStore({ records, store });
      if (others.length > 0) log.error({ others }, NOT_SOLE);
      return others.length === 0;
    },
    async assertSame() {
      const stored = await records.get(STORE_OWNER, OWNER_ID);
      if (stored === undefined || stored.value.id !== sole) {
        throw new Error('the records were lost or exchanged: nothing more is removed that they do not know');
      }
    },
  };
}

const NOT_SOLE =
  'files that no job and no upload knows are not removed: others have marked this store, or it had files before. ' +
  'Was Redis emptied, or is REDIS_URL or REDIS_PREFIX another than before? Put it right, or restore its backup. ' +
  'Does another installation use this S3_BUCKET and S3_PREFIX? Give each its own. ' +
  'If neither, and those files may go: remove the objects named in `others` from the store';

async function ownId(records: Claimed['records'], id: string = randomUUID()): Promise<string> {
  for (;;) {
    const stored = await records.get(STORE_OWNER, OWNER_ID);
    if (stored !== undefined) return stored.value.id;
    // Of several processes one makes it.
    const place = { group: '', dueAt: null, expiresAt: null };
    await records.restore({ kind: STORE_OWNER.name, id: OWNER_ID, value: { id }, version: 1, ...place });
  }
}

function marksIn(store: Claimed['store']): Promise<string[]> {
  return Array.fromAsync(store.list(MARKS), ({ key }) => key);
}

async function hasFiles(store: Claimed['store']): Promise<boolean> {
  for (const folder of WITH_FILES) {
    const files = store.list(folder)[Symbol.asyncIterator]();
    const { done } = await files.next();
    await files.return?.();
    if (done !== true) return true;
  }
  return false;
}

async function mark(store: Claimed['store'], key: string): Promise<void> {
  const text = `Mediamill, ${new Date().toISOString()}\n`;
  await store.put(key, Readable.from([Buffer.from(text)]), { maxBytes: 1000 });
}
