// The record of an upload: the truth about whether it is there, whose it is, and how much of it has come.

import type { RecordKind, RecordPlace, StoredPiece } from '../contracts.ts';
import { Problem } from '../problems.ts';

export interface UploadRecord {
  readonly tenant: string;
  readonly name: string | null;
  /** In bytes; null until the client says it. */
  readonly length: number | null;
  /** Bytes that are durable and count. */
  readonly offset: number;
  /** By its first bytes, as soon as they are there; never of a part. */
  readonly mediaType: string | null;
  /** `Upload-Metadata` as it came: told again, believed in nothing. */
  readonly metadata: string | null;
  /** Of tus' concatenation: a part of another upload, or the ids of the parts that it is made of. */
  readonly concat: 'partial' | { readonly final: readonly string[] } | null;
  /** Where the bytes lie, in their order, until it is complete. */
  readonly segments: readonly StoredPiece[];
  /** Who may write: only a commit with this token's version counts. */
  readonly writer: { readonly token: string; readonly joining: boolean } | null;
  /** How often it could not be put together, though all of its bytes are there. */
  readonly failures?: number;
  /** All in milliseconds since 1970. */
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly completedAt: number | null;
}

export const UPLOADS: RecordKind<UploadRecord> = { name: 'upload' };

/** An upload of which no byte is there; `at` in milliseconds since 1970. */
export function newUpload(
  asked: Pick<UploadRecord, 'tenant' | 'name' | 'length' | 'metadata' | 'concat' | 'expiresAt'>,
  at: number,
): UploadRecord {
  return {
    ...asked,
    offset: 0,
    mediaType: null,
    segments: [],
    writer: null,
    createdAt: at,
    completedAt: null,
  };
}

/**
 * An upload whose bytes are all there and which nobody completes is taken up by the sweeper after so long, in milliseconds;
 * after twice as long with each failure, up to the most.
 */
const COMPLETE_AFTER_MS = 60_000;
const COMPLETE_MOST_MS = 3_600_000;

export function isWhole({ length, offset }: UploadRecord): boolean {
  return length !== null && offset === length;
}

/** All of its bytes are there, and not yet in one file. */
export function isUnjoined(record: UploadRecord): boolean {
  return record.completedAt === null && isWhole(record);
}

/** Made of parts. */
export function isFinal({ concat }: Pick<UploadRecord, 'concat'>): boolean {
  return concat !== null && concat !== 'partial';
}

/** `part`: finished, and no source by itself. */
export const UPLOAD_STATUSES = ['receiving', 'complete', 'part'] as const;
export type UploadStatus = (typeof UPLOAD_STATUSES)[number];

export function statusOf({
  completedAt,
  concat,
}: Pick<UploadRecord, 'completedAt' | 'concat'>): UploadStatus {
  if (completedAt === null) return 'receiving';
  return concat === 'partial' ? 'part' : 'complete';
}

export function isExpired({ expiresAt }: UploadRecord, now: number): boolean {
  return expiresAt <= now;
}

/** As what it was found and written, at `now`. */
export function placeOf(record: UploadRecord, now: number): RecordPlace {
  const { tenant, expiresAt, failures = 0 } = record;
  const again = Math.min(COMPLETE_AFTER_MS * 2 ** failures, COMPLETE_MOST_MS);
  return { group: tenant, dueAt: isUnjoined(record) ? Math.min(expiresAt, now + again) : expiresAt };
}

export function unknownUpload(cause?: unknown): Problem {
  return new Problem(
    'source_not_found',
    'There is no such upload: it was removed, has expired, or never was.',
    { cause },
  );
}
