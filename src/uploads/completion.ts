// Makes the blob of an upload whose bytes are all there: by one process at a time, and again if that one died over it.

import { setTimeout as sleep } from 'node:timers/promises';
import type { BlobStore, Records, Stored, StoredPiece } from '../contracts.ts';
import { Problem } from '../problems.ts';
import type { Claim, Claims } from './claims.ts';
import { createJoinLine } from './join-line.ts';
import { headOf, judge } from './judge.ts';
import type { UploadLimits } from './judge.ts';
import type { OpenPlaces } from './open-places.ts';
import { segmentsOf, uploadKey } from './upload-names.ts';
import { isFinal, isWhole, unknownUpload, UPLOADS } from './upload-record.ts';
import type { UploadRecord } from './upload-record.ts';

export interface CompletionOptions {
  readonly store: BlobStore;
  readonly records: Records;
  readonly claims: Claims;
  readonly places: OpenPlaces;
  readonly limits: UploadLimits;
  readonly ttlSeconds: number;
  /** Removes all that is left of one whose record says that it is gone. */
  readonly clear: (id: string, tenant: string) => Promise<void>;
  /** Told why one could not be put together; it is kept, and tried again. */
  readonly onError?: ((error: unknown, id: string) => void) | undefined;
  /** How long a request waits for it, in milliseconds. */
  readonly joinWaitMs?: number | undefined;
  readonly now?: () => number;
}

export interface Completion {
  /**
   * Completes what a claim of this process has just made whole. Resolves when that is done, or with the upload as it
   * stands when it takes longer than a request may: it goes on behind. What turns out to be no media is removed, and rejects.
   */
  complete(claim: Claim): Promise<UploadRecord>;
  /** Removes what a claim of this process found to be unusable. Rejects if the claim was lost. */
  discard(claim: Claim): Promise<void>;
  /** Nobody writes by this claim any more, if it was not lost. */
  letGo(claim: Claim): Promise<void>;
  /** Removes what has lost bytes that count, and tells so by `source_not_found`. */
  assertThere(claim: Claim): Promise<void>;
  /**
   * As it stands with nobody writing to it; completed, if somebody died before doing so: then like `complete`, or,
   * `toEnd`, when it is done. Rejects `source_not_found`, of a whole one also where bytes that count are gone: of others
   * the record is believed until somebody writes behind them.
   */
  settle(id: string, tenant: string, toEnd?: boolean): Promise<Stored<UploadRecord>>;
  /** Of a final, or of a finished part. Rejects `upload_unfinished` where one is gone. */
  piecesOf(record: Pick<UploadRecord, 'tenant' | 'concat' | 'segments'>): Promise<readonly StoredPiece[]>;
  /** Whether all bytes of the pieces that count are there. */
  areThere(pieces: readonly StoredPiece[]): Promise<boolean>;
  /** Waits for what is put together behind; whoever closes the claims breaks it off. */
  close(): Promise<void>;
}

/** Whoever waits for a joining process looks for such signs. */
const SIGN_EVERY_MS = 500;
/** Pieces that are looked at together. */
const LOOKS_AT_ONCE = 16;
/** Small ones are complete by then, and no proxy grows impatient. */
const JOIN_WAIT_MS = 1000;

export function createCompletion(options: CompletionOptions): Completion {
  const { store, records, claims, places, limits, ttlSeconds, clear, onError, now = records.now } = options;
  const { joinWaitMs = JOIN_WAIT_MS } = options;
  const line = createJoinLine();
  const behind = new Set<Promise<unknown>>();

  async function finish(claim: Claim): Promise<UploadRecord> {
    const { id, record } = claim;
    try {
      const isPart = record.concat === 'partial';
      const mediaType = isPart ? null : await publish(claim);
      const at = now();
      const kept = isPart ? record.segments : [];
      // A part lives on as long as it would unfinished: it is there to be put together.
      const expiresAt = isPart ? record.expiresAt : at + ttlSeconds * 1000;
      await claim.commit({ mediaType, segments: kept, writer: null, completedAt: at, expiresAt });
      if (!isPart) {
        await store.delete(segmentsOf(id));
        await places.leave(id, record.tenant);
      }
      return claim.record;
    } catch (error) {
      throw await failed(claim, error);
    }
  }

  /** Leaves nothing of what can never be completed, keeps what may be the next time, and says what to answer. */
  async function failed(claim: Claim, error: unknown): Promise<unknown> {
    const { id, record } = claim;
    const code = error instanceof Problem ? error.code : undefined;
    if (code !== undefined && UNWANTED.has(code)) {
      await discard(claim);
      return error;
    }
    // Removed meanwhile: what was made of it since is nobody's.
    if (code === 'source_not_found') await clear(id, record.tenant);
    if (code === 'source_not_found' || code === 'upload_locked' || code === 'shutting_down') {
      await letGo(claim);
      return error;
    }
    await letGo(claim, { failures: (record.failures ?? 0) + 1 });
    onError?.(error, id);
    if (error instanceof Problem) return error;
    return new Problem(
      'overloaded',
      'All bytes of the upload are here, and could not be put together just now. Nothing is lost: ask again by HEAD.',
      { cause: error, retryAfter: 5 },
    );
  }

  async function letGo(claim: Claim, change: Partial<UploadRecord> = {}): Promise<void> {
    if (claim.record.writer === null) return;
    // Lost, it is somebody else's; and what cannot be written now is fenced off by whoever comes next.
    await claim.commit({ ...change, writer: null }).catch(() => undefined);
  }

  async function discard(claim: Claim): Promise<void> {
    // First by the claim: whoever lost it knows nothing of what others have made of the upload since.
    await claim.commit({ writer: null, expiresAt: now() });
    await clear(claim.id, claim.record.tenant);
  }

  /** The media type of what lies there then. */
  async function publish(claim: Claim): Promise<string> {
    const { id, record } = claim;
    const key = uploadKey(id);
    const length = record.length ?? 0;
    const isPublished = async (): Promise<boolean> => (await store.stat(key))?.bytes === length;
    // Nobody but a process that died here can have put it there, and only as a whole.
    if (!(await isPublished())) {
      const pieces = await piecesOf(record);
      try {
        await withSigns(claim, () => line(() => join(claim, pieces, key, length)));
      } catch (error) {
        if (claims.closing.aborted) throw claims.closing.reason;
        // Of the last two questions in this order: whoever was left behind here may have made the blob of the only piece.
        if (!isMissing(error) || (await areThere(pieces))) throw error;
        if (!(await isPublished())) await lost(claim, error);
      }
    }
    return judge(await headOf(store, [{ key, bytes: length }]), length, limits);
  }

  async function join(
    { id, record }: Claim,
    pieces: readonly StoredPiece[],
    key: string,
    length: number,
  ): Promise<void> {
    claims.closing.throwIfAborted();
    // It may have waited for long: what was removed meanwhile, or taken by somebody else, is written for nobody.
    const standing = await records.get(UPLOADS, id);
    if (standing === undefined) throw unknownUpload();
    if (standing.value.writer?.token !== record.writer?.token)
      throw new Problem(
        'upload_locked',
        'Somebody else goes on with this upload. Ask by HEAD how far it is.',
      );
    const isCopied = pieces.length > 1 || pieces[0]?.closed !== true;
    const free = isCopied ? await store.free() : undefined;
    // Before the first byte: else each attempt would fill the disk, and be removed again.
    if (free !== undefined && free <= length)
      throw new Problem('storage_full', 'The server has no room to put this upload together. It is kept.');
    await store.join(pieces, key, { signal: claims.closing });
  }

  async function lost(claim: Claim, cause: unknown): Promise<never> {
    if (isFinal(claim.record)) throw partsGone(cause);
    await discard(claim);
    throw unknownUpload(cause);
  }

  const piecesOf: Completion['piecesOf'] = async ({ tenant, concat, segments }) => {
    if (concat === null || concat === 'partial') return segments;
    const pieces: StoredPiece[] = [];
    for (const part of concat.final) {
      const found = await records.get(UPLOADS, part);
      if (found === undefined || found.value.tenant !== tenant || found.value.completedAt === null)
        throw partsGone();
      // They stay where they are: another upload may be made of them too.
      for (const piece of found.value.segments) pieces.push({ ...piece, closed: false });
    }
    return pieces;
  };

  const areThere: Completion['areThere'] = async (pieces) => {
    const wanted = pieces.filter(({ bytes }) => bytes > 0);
    for (let seen = 0; seen < wanted.length; seen += LOOKS_AT_ONCE) {
      const some = wanted.slice(seen, seen + LOOKS_AT_ONCE);
      const found = await Promise.all(some.map(({ key }) => store.stat(key)));
      if (found.some((blob, index) => (blob?.bytes ?? 0) < (some[index]?.bytes ?? 0))) return false;
    }
    return true;
  };

  /** Finishes, in this request or behind it. */
  function begin(claim: Claim): Promise<UploadRecord> {
    const done = finish(claim);
    behind.add(done);
    // Those who no longer wait are told by what the upload is then.
    const over = (): void => void behind.delete(done);
    done.then(over, over);
    return done;
  }

  async function complete(claim: Claim): Promise<UploadRecord> {
    // Nothing of a part is copied, and a final can be made only of those that are finished.
    if (claim.record.concat === 'partial') return begin(claim);
    const waited = new AbortController();
    try {
      return await Promise.race([
        begin(claim),
        sleep(joinWaitMs, undefined, { signal: waited.signal }).then(() => claim.record),
      ]);
    } finally {
      waited.abort();
    }
  }

  return {
    complete,
    discard,
    letGo: (claim) => letGo(claim),
    piecesOf,
    areThere,

    async assertThere(claim) {
      if (await areThere(claim.record.segments)) return;
      await discard(claim);
      throw unknownUpload();
    },

    async settle(id, tenant, toEnd = false) {
      for (;;) {
        const stored = await claims.quiet(id, tenant);
        const { value } = stored;
        if (value.completedAt !== null || value.writer !== null) return stored;
        if (!isWhole(value)) return stored;
        using claim = await claims.take(stored, {}, true);
        if (claim === undefined) continue;
        const record = await (toEnd ? begin(claim) : complete(claim));
        if (record.completedAt === null) return { ...stored, value: record };
      }
    },

    async close() {
      await Promise.allSettled(behind);
    },
  };
}

const UNWANTED: ReadonlySet<string> = new Set([
  'media_type_unsupported',
  'payload_too_large',
  'upload_unfinished',
]);

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** Says who waits that this process lives, while something takes long. */
async function withSigns<T>(claim: Claim, work: () => Promise<T>): Promise<T> {
  let signing: Promise<unknown> = Promise.resolve();
  // A lost claim shows at the commit after the work: what was made is the same whoever made it.
  const timer = setInterval(() => {
    signing = signing.then(() => claim.commit({})).catch(() => undefined);
  }, SIGN_EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    await signing;
  }
}

export function partsGone(cause?: unknown): Problem {
  return new Problem(
    'upload_unfinished',
    'Parts that this upload is made of were removed or have expired before it was complete.',
    { cause },
  );
}
