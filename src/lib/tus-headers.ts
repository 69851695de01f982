// The headers of tus 1.0.0 (https://tus.io/protocols/resumable-upload), read as strictly as they are meant.

import { Problem } from '../problems.ts';

export const TUS_VERSION = '1.0.0';
export const TUS_EXTENSIONS =
  'creation,creation-with-upload,creation-defer-length,termination,expiration,checksum,concatenation';
export const TUS_ALGORITHMS = ['sha1', 'sha256', 'md5'] as const;
export type TusAlgorithm = (typeof TUS_ALGORITHMS)[number];
export const TUS_MEDIA_TYPE = 'application/offset+octet-stream';

const MAX_METADATA = 4096;
const MAX_PAIRS = 32;
const MAX_PARTS = 256;
const DIGEST_BYTES: Readonly<Record<TusAlgorithm, number>> = { sha1: 20, sha256: 32, md5: 16 };

type Header = string | readonly string[] | undefined;

function bad(name: string, why: string): Problem {
  return new Problem('invalid_request', `${name}: ${why}.`);
}

/** A number of bytes, such as Upload-Length and Upload-Offset. Undefined where it is not there. */
export function tusNumber(name: string, header: Header): number | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !/^\d{1,15}$/.test(header))
    throw bad(name, 'must be a whole number of bytes, 0 or more');
  return Number(header);
}

/** Of a new upload: its length, or null if `Upload-Defer-Length: 1` leaves it open. */
export function tusLength(length: Header, defer: Header): number | null {
  const bytes = tusNumber('Upload-Length', length);
  if (defer !== undefined && defer !== '1') throw bad('Upload-Defer-Length', 'can only be 1');
  if ((bytes === undefined) === (defer === undefined))
    throw bad('Upload-Length', 'is needed; or Upload-Defer-Length: 1 in its place, if it is not known yet');
  return bytes ?? null;
}

/** `key base64,key base64,key` as decoded values. Nothing in it is believed. */
export function tusMetadata(header: Header): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  if (header === undefined || header === '') return values;
  const name = 'Upload-Metadata';
  if (typeof header !== 'string' || header.length > MAX_METADATA)
    throw bad(name, `may have at most ${MAX_METADATA} characters`);
  const pairs = header.split(',');
  if (pairs.length > MAX_PAIRS) throw bad(name, `may have at most ${MAX_PAIRS} pairs`);
  for (const pair of pairs) {
    const [, key, value = ''] = /^\s*([!-+\--~]{1,100})(?: ([A-Za-z0-9+/]*={0,2}))?\s*$/.exec(pair) ?? [];
    if (key === undefined || value.length % 4 !== 0)
      throw bad(name, 'is a comma-separated list of a key and a value in base64');
    if (values.has(key)) throw bad(name, `has the key ${JSON.stringify(key)} twice`);
    values.set(key, Buffer.from(value, 'base64').toString('utf8'));
  }
  return values;
}

/** `sha1 base64`. Throws for an algorithm that is not known. */
export function tusChecksum(
  header: Header,
): { readonly algorithm: TusAlgorithm; readonly digest: Buffer } | undefined {
  if (header === undefined) return undefined;
  const [, name, value = ''] =
    typeof header === 'string' ? (/^([a-z0-9-]{1,20}) ([A-Za-z0-9+/]{1,100}={0,2})$/.exec(header) ?? []) : [];
  const algorithm = TUS_ALGORITHMS.find((each) => each === name);
  const digest = Buffer.from(value, 'base64');
  if (algorithm === undefined || digest.length !== DIGEST_BYTES[algorithm]) {
    throw bad(
      'Upload-Checksum',
      `must be one of ${TUS_ALGORITHMS.join(', ')}, a space and the whole digest in base64`,
    );
  }
  return { algorithm, digest };
}

/** `partial`, or `final;` and the addresses of the parts, whose ids are given. */
export function tusConcat(header: Header): 'partial' | { readonly final: readonly string[] } | undefined {
  if (header === undefined || header === 'partial') return header;
  const name = 'Upload-Concat';
  if (typeof header !== 'string' || !header.startsWith('final;'))
    throw bad(name, 'must be partial, or final; and the addresses of the parts');
  const addresses = header.slice('final;'.length).trim().split(/ +/);
  if (addresses.length > MAX_PARTS) throw bad(name, `may name at most ${MAX_PARTS} parts`);
  const final = addresses.map((address) => {
    const path = URL.parse(address, 'http://localhost')?.pathname ?? '';
    const [, id] = /\/v1\/uploads\/([0-9a-z]{36})$/.exec(path) ?? [];
    if (id === undefined)
      throw bad(name, `${JSON.stringify(address.slice(0, 100))} is no address of an upload`);
    return id;
  });
  if (new Set(final).size < final.length)
    throw bad(name, 'names a part twice; what a file has twice must be sent twice');
  return { final };
}
