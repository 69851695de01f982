// Makes one object of the parts of segments: S3 copies the large ones itself, the small ones pass through here.

import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { ByteRange, StoredPiece } from '../contracts.ts';
import { isMissing, tooShort } from './disk-files.ts';
import type { PartSpoolOptions } from './part-spool.ts';
import type { S3 } from './s3-client.ts';
import { isFinalAnswer } from './s3-failures.ts';
import { extentOf, readLayout } from './s3-layout.ts';
import { evenPartBytes, LEAST_PART, MOST_PARTS } from './s3-multipart.ts';
import { readObject } from './s3-read.ts';
import { eachOf, inParts, streamUpload } from './s3-upload.ts';

/** Bytes `start` to `end` of an object, inclusive. */
export interface Slice extends ByteRange {
  readonly key: string;
}

/** Copies that S3 makes at the same time. */
const AT_ONCE = 4;
/** Objects that are replaced while they are read: how often what stands there is looked up again. */
const LOOKS = 3;
/** Segments that are looked up at the same time. */
const LOOKS_AT_ONCE = 16;

/** The first `bytes` bytes of pieces. Rejects with ENOENT where one is gone or too short. */
async function slicesOf(s3: S3, pieces: readonly StoredPiece[], signal?: AbortSignal): Promise<Slice[]> {
  const found: Slice[][] = pieces.map(() => []);
  await eachOf(pieces.length, LOOKS_AT_ONCE, signal, async (index) => {
    const { key, bytes } = pieces[index] as StoredPiece;
    if (bytes > 0) found[index] = await slicesIn(s3, key, { start: 0, end: bytes - 1 });
  });
  return found.flat();
}

async function slicesIn(s3: S3, key: string, { start, end }: ByteRange): Promise<Slice[]> {
  const parts = (await readLayout(s3, key))?.parts ?? [];
  if (extentOf(parts) <= end) throw tooShort(extentOf(parts), end + 1);
  return parts
    .filter((part) => part.bytes > 0 && part.start <= end && part.start + part.bytes > start)
    .map((part) => ({
      key: part.key,
      start: Math.max(0, start - part.start),
      end: Math.min(part.bytes - 1, end - part.start),
    }));
}

/** Bytes of a segment, also where its small parts are made into larger ones meanwhile. */
export async function* segmentBytes(s3: S3, key: string, range: ByteRange): AsyncGenerator<Uint8Array> {
  let at = range.start;
  for (let looks = 0; at <= range.end; looks++) {
    try {
      for (const slice of await slicesIn(s3, key, { start: at, end: range.end })) {
        const object = await readObject(s3, slice.key, { range: slice });
        for await (const chunk of object as AsyncIterable<Uint8Array>) {
          at += chunk.length;
          yield chunk;
        }
      }
    } catch (error) {
      if (!isMissing(error) || looks >= LOOKS) throw error;
    }
  }
}

/** Groups of slices that are parts of one upload: each but the last of 5 MiB at least. */
export function partsOf(slices: readonly Slice[]): readonly (readonly Slice[])[] {
  const groups: Slice[][] = [];
  let group: Slice[] = [];
  let bytes = 0;
  const close = (): void => {
    if (group.length > 0) groups.push(group);
    group = [];
    bytes = 0;
  };
  for (const slice of slices) {
    let rest = slice;
    // Only as much of a large one as a small one before it lacks: the rest is copied.
    if (bytes > 0 && lengthOf(slice) >= 2 * LEAST_PART - bytes) {
      const head = { ...slice, end: slice.start + (LEAST_PART - bytes) - 1 };
      group.push(head);
      close();
      rest = { ...slice, start: head.end + 1 };
    }
    group.push(rest);
    bytes += lengthOf(rest);
    if (bytes >= LEAST_PART) close();
  }
  close();
  return groups;
}

export const lengthOf = ({ start, end }: ByteRange): number => end - start + 1;

/** All or nothing; resolves with the bytes. */
export async function joinPieces(
  s3: S3,
  pieces: readonly StoredPiece[],
  to: string,
  { signal, ...spooling }: PartSpoolOptions & { readonly signal?: AbortSignal | undefined },
): Promise<number> {
  signal?.throwIfAborted();
  const groups = partsOf(await slicesOf(s3, pieces, signal));
  const total = pieces.reduce((sum, { bytes }) => sum + bytes, 0);
  const groupBytes = (group: readonly Slice[]): number =>
    group.reduce((sum, slice) => sum + lengthOf(slice), 0);
  if (groups.length < 2 || groups.length > MOST_PARTS) return passThrough();
  try {
    await inParts(
      s3,
      to,
      total,
      (multipart, either) =>
        eachOf(groups.length, AT_ONCE, either, async (index) => {
          const group = groups[index] ?? [];
          const [only] = group;
          if (only !== undefined && group.length === 1 && lengthOf(only) >= LEAST_PART)
            return multipart.copyPart(index + 1, only.key, only);
          const pass = async (): Promise<void> => {
            const bytes: Buffer[] = [];
            for (const slice of group)
              bytes.push(await buffer(await readObject(s3, slice.key, { range: slice, signal: either })));
            await multipart.part(index + 1, Buffer.concat(bytes));
          };
          await spooling.gate.pass(groupBytes(group), pass, either);
        }),
      signal,
    );
    return total;
  } catch (error) {
    // Parts of several sizes, or copies, are not for every store.
    if (isRefused(error)) return passThrough();
    throw error;
  }

  async function passThrough(): Promise<number> {
    const size = evenPartBytes(total);
    await using upload = streamUpload(s3, to, { ...spooling, signal, partSize: () => size });
    for (const { key, bytes } of pieces) {
      for await (const chunk of segmentBytes(s3, key, { start: 0, end: bytes - 1 }))
        await upload.write(chunk);
    }
    // Awaited here: else it would be left before its end.
    return await upload.end();
  }
}

function isRefused(error: unknown): boolean {
  return isFinalAnswer(error instanceof Error ? error.cause : undefined);
}

export async function readSegment(s3: S3, key: string, range?: ByteRange): Promise<Readable> {
  const parts = (await readLayout(s3, key))?.parts;
  if (parts === undefined) throw tooShort(0, 0);
  const end = Math.min(range?.end ?? Number.POSITIVE_INFINITY, extentOf(parts) - 1);
  return Readable.from(segmentBytes(s3, key, { start: range?.start ?? 0, end }), { objectMode: false });
}
