// Makes the blob of an upload whose bytes are all there: once, by one process, and again if that one died over it.

import { buffer } from 'node:stream/consumers';
import type { BlobStore, Records, Stored, StoredPiece } from '../contracts.ts';
import { describeSupported, SNIFF_BYTES, sniff } from '../lib/media-type.ts';
import { Problem } from '../problems.ts';
import type { Claim, Claims } from './claims.ts';
import { segmentsOf, uploadKey } from './upload-names.ts';
import { isWhole, UPLOADS } from './upload-record.ts';
import type { UploadRecord } from './upload-record.ts';

export interface UploadLimits {
  readonly imageMaxBytes: number;
  readonly videoMaxBytes: number;
}

export interface CompletionOptions {
  readonly store: BlobStore;
  readonly records: Records;
  readonly claims: Claims;
  readonly limits: UploadLimits;
  readonly ttlSeconds: number;
  /** Removes all that is left of one whose record says that it is gone. */
  readonly clear: (id: string, tenant: string) => Promise<void>;
  readonly now?: () => number;
}

export interface Completion {
  /** Completes what a claim of this process has just made whole. What turns out to be no media is removed, and rejects. */
  complete(claim: Claim): Promise<UploadRecord>;
  /** Removes what a claim of this process found to be no media. Rejects if the claim was lost. */
  discard(claim: Claim): Promise<void>;
  /** As it stands with nobody writing to it; completed, if somebody died before doing so. */
  settle(id: string, tenant: string): Promise<Stored<UploadRecord>>;
}

/** Whoever waits for a joining process looks for such signs. */
const SIGN_EVERY_MS = 500;

export function createCompletion(options: CompletionOptions): Completion {
  const { store, records, claims, limits, ttlSeconds, clear, now = Date.now } = options;

  async function complete(claim: Claim): Promise<UploadRecord> {
    const { id, record } = claim;
    try {
      const mediaType = record.concat === 'partial' ? null : await publish(claim);
      const at = now();
      const kept = record.concat === 'partial' ? record.segments : [];
      // A part lives on as long as it would unfinished: it is there to be put together.
      const expiresAt = record.concat === 'partial' ? record.expiresAt : at + ttlSeconds * 1000;
      await claim.commit({ mediaType, segments: kept, writer: null, completedAt: at, expiresAt });
      if (record.concat !== 'partial') await store.delete(segmentsOf(id));
      return claim.record;
    } catch (error) {
      if (error instanceof Problem && UNWANTED.has(error.code)) await discard(claim);
      throw error;
    }
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
    // Nobody but a process that died here can have put it there, and only as a whole.
    if ((await store.stat(key))?.bytes !== length) {
      const pieces = await piecesOf(record);
      await withSigns(claim, () => store.join(pieces, key)).catch((error: unknown) => {
        throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? partsGone(error) : error;
      });
    }
    const head = await buffer(await store.read(key, { start: 0, end: Math.min(length, SNIFF_BYTES) - 1 }));
    return judge(head, length, limits);
  }

  async function piecesOf({ tenant, concat, segments }: UploadRecord): Promise<readonly StoredPiece[]> {
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
  }

  return {
    complete,
    discard,

    async settle(id, tenant) {
      for (;;) {
        const stored = await claims.quiet(id, tenant);
        if (!isWhole(stored.value) || stored.value.completedAt !== null) return stored;
        using claim = await claims.take(stored, {}, true);
        if (claim !== undefined) await complete(claim);
      }
    },
  };
}

const UNWANTED: ReadonlySet<string> = new Set([
  'media_type_unsupported',
  'payload_too_large',
  'upload_unfinished',
]);

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

/** The media type of what begins with `head`. Throws `media_type_unsupported`, and `payload_too_large` by `length`. */
export function judge(head: Uint8Array, length: number, limits: UploadLimits): string {
  const found = sniff(head)?.mediaType;
  if (found === undefined) {
    throw new Problem(
      'media_type_unsupported',
      `The file begins like no kind of media that is supported. The upload was removed. ${describeSupported()}`,
    );
  }
  const most = found.startsWith('image/') ? limits.imageMaxBytes : limits.videoMaxBytes;
  if (length > most) {
    throw new Problem(
      'payload_too_large',
      `The upload has ${length} bytes; a file of the type ${found} may have at most ${most}. The upload was removed.`,
    );
  }
  return found;
}

function partsGone(cause?: unknown): Problem {
  return new Problem(
    'upload_unfinished',
    'Parts that this upload is made of were removed or have expired before it was complete.',
    { cause },
  );
}
