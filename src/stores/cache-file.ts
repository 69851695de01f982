// A file of the rendition cache: magic, length of the facts, the facts as JSON, the bytes.

import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { CacheFacts } from '../jobs/image-cache.ts';

/** The first bytes of every file, with the version of its form. */
const MAGIC = Buffer.from('MMC1');
const PREFIX = MAGIC.length + 4;
/** As much of a file as surely holds its facts, in bytes. */
const HEAD_BYTES = 16 * 1024;
/** Larger files are streamed. */
const WHOLE_BYTES = 1024 * 1024;

interface CacheFileHead {
  readonly facts: CacheFacts;
  /** Where the bytes begin, and how many there must be. */
  readonly start: number;
  readonly bytes: number;
}

/** What stands before `bytes` bytes of data. */
export function encodeHead(facts: CacheFacts, bytes: number): Buffer {
  const json = Buffer.from(JSON.stringify({ facts, bytes }));
  const head = Buffer.alloc(PREFIX + json.length);
  MAGIC.copy(head);
  head.writeUInt32BE(json.length, MAGIC.length);
  json.copy(head, PREFIX);
  if (head.length > HEAD_BYTES) throw new Error('the facts of a rendition are too long for the cache');
  return head;
}

/** Undefined where `size` bytes beginning so are no whole file of ours: after a power cut, or of another version. */
function decodeHead(start: Buffer, size: number): CacheFileHead | undefined {
  if (start.length < PREFIX || !start.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const end = PREFIX + start.readUInt32BE(MAGIC.length);
  if (end > start.length) return undefined;
  try {
    const { facts, bytes } = JSON.parse(start.toString('utf8', PREFIX, end)) as {
      facts: CacheFacts;
      bytes: number;
    };
    return end + bytes === size ? { facts, bytes, start: end } : undefined;
  } catch {
    return undefined;
  }
}

/** Facts and bytes. Undefined if the file is not of that size, or damaged. A stream closes the file. */
export async function readCacheFile(
  file: FileHandle,
  size: number,
): Promise<{ facts: CacheFacts; bytes: number; body: Buffer | Readable } | undefined> {
  const whole = size <= WHOLE_BYTES;
  // One byte more than there should be: a longer file shows.
  const buffer = Buffer.allocUnsafeSlow(whole ? size + 1 : HEAD_BYTES);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
  if (whole && bytesRead !== size) return undefined;
  const head = decodeHead(buffer.subarray(0, bytesRead), whole ? size : (await file.stat()).size);
  if (head === undefined) return undefined;
  const { facts, bytes, start } = head;
  const body = whole
    ? buffer.subarray(start, size)
    : file.createReadStream({ start, highWaterMark: 256 * 1024 });
  return { facts, bytes, body };
}

/** Without the bytes. Undefined if there is no such file, or it is damaged. */
export async function readCacheHead(path: string): Promise<
  | {
      facts: CacheFacts;
      bytes: number;
      ino: number;
      /** Of the whole file. */
      size: number;
      /** Milliseconds since 1970. */
      storedAt: number;
    }
  | undefined
> {
  try {
    await using file = await open(path);
    const { size, ino, mtimeMs } = await file.stat();
    const buffer = Buffer.allocUnsafe(Math.min(size, HEAD_BYTES));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    const head = decodeHead(buffer.subarray(0, bytesRead), size);
    return head && { facts: head.facts, bytes: head.bytes, ino, size, storedAt: mtimeMs };
  } catch {
    return undefined;
  }
}
