// Whether the first bytes of an upload are those of a kind of media that is taken, and whether it may be so long.

import { buffer } from 'node:stream/consumers';
import type { BlobStore, StoredPiece } from '../contracts.ts';
import { describeSupported, SNIFF_BYTES, sniff } from '../lib/media-type.ts';
import { Problem } from '../problems.ts';

export interface UploadLimits {
  readonly imageMaxBytes: number;
  readonly videoMaxBytes: number;
}

/** The first bytes of what is there, for the sniffer. Rejects with ENOENT where they are gone. */
export async function headOf(
  store: Pick<BlobStore, 'read'>,
  pieces: readonly Pick<StoredPiece, 'key' | 'bytes'>[],
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let missing = SNIFF_BYTES;
  for (const { key, bytes } of pieces) {
    const wanted = Math.min(bytes, missing);
    if (wanted === 0) continue;
    parts.push(await buffer(await store.read(key, { start: 0, end: wanted - 1 })));
    missing -= wanted;
  }
  return Buffer.concat(parts);
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

/** The most bytes that an upload may have of which no more is known. */
export function mostOf({ imageMaxBytes, videoMaxBytes }: UploadLimits): number {
  return Math.max(imageMaxBytes, videoMaxBytes);
}

export function tooLong(bytes: number, most: number): Problem {
  return new Problem(
    'payload_too_large',
    `The upload would have ${bytes} bytes; at most ${most} are allowed.`,
  );
}
