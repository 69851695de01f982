// A ZIP of files as they are (APPNOTE.TXT, 4.3): pictures are compressed already.

import { Zip, ZipPassThrough } from 'fflate';

export interface NamedBytes {
  /** ASCII. */
  readonly name: string;
  readonly mediaType: string;
  readonly data: Uint8Array;
}

/** A body that is made while it is sent, so that its checksums do not hold up other requests. */
export interface PackedBody {
  readonly contentType: string;
  /** Of all chunks, in bytes. */
  readonly length: number;
  readonly chunks: Iterable<Uint8Array>;
}

const CHUNK = 256 * 1024;
/** A file's own header, descriptor and entry in the directory, without its name, which stands in two of them. */
const PER_FILE = 30 + 16 + 46;
const END = 22;

export function storedZip(files: readonly NamedBytes[]): PackedBody {
  const length = files.reduce((sum, { name, data }) => sum + PER_FILE + 2 * name.length + data.length, END);
  return { contentType: 'application/zip', length, chunks: zipped(files) };
}

function* zipped(files: readonly NamedBytes[]): Generator<Uint8Array> {
  let made: Uint8Array[] = [];
  const zip = new Zip((error, chunk) => {
    if (error !== null) throw error;
    made.push(chunk);
  });
  for (const { name, data } of files) {
    const entry = new ZipPassThrough(name);
    zip.add(entry);
    for (let at = 0; at === 0 || at < data.length; at += CHUNK) {
      entry.push(data.subarray(at, at + CHUNK), at + CHUNK >= data.length);
      yield* made;
      made = [];
    }
  }
  zip.end();
  yield* made;
}
