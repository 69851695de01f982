// Addresses of images, `/v1/images/{signature}/{options}/{source}`: how they are written, signed and read.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { Problem } from '../problems.ts';

/** A key that signs addresses. */
export interface UrlKey {
  /** Whose stored sources its addresses may name; null: those of the tenant of a server without keys. */
  readonly tenant: string | null;
  readonly id: string;
  readonly secret: Buffer;
}

/** What an address asks for. */
export interface ImageAddress {
  /** Decoded, each name once. Empty: the source as it is, only written anew. */
  readonly options: ReadonlyMap<string, string>;
  /** `upload:{id}`, or an https URL. */
  readonly source: string;
}

export interface SignedAddress extends ImageAddress {
  readonly signature: string;
  /** What is signed: the same for every way of writing the same. */
  readonly canonical: string;
}

/** Stands where the signature would, on servers that take unsigned addresses. */
export const UNSIGNED = 'unsigned';
/** Stands for no options. */
const NO_OPTIONS = '-';
const BASE64_PREFIX = 'base64:';
const MAX_OPTIONS = 64;
/** `URL_KEYS`: at least 128 bits a key (RFC 2104 wants as many as the hash has: 256). */
const KEY = /^(?:([A-Za-z0-9._-]{1,64})\/)?([A-Za-z0-9_-]{1,32}):((?:[0-9a-f]{2}){16,128})$/i;

/**
 * Reads a comma-separated list of `id:secret` or `tenant/id:secret`, the secret as 32–256 hex digits. Throws an Error that names the
 * entry by its place, never by what it says: it is a secret.
 */
export function parseUrlKeys(text: string): UrlKey[] {
  const keys = text.split(',').map((entry, index): UrlKey => {
    const [, tenant = null, id, secret] = KEY.exec(entry.trim()) ?? [];
    if (id === undefined || secret === undefined)
      throw new Error(
        `entry ${index + 1} is not id:secret with a secret of 32 to 256 hex digits. One is made by: openssl rand -hex 32`,
      );
    return { tenant, id, secret: Buffer.from(secret, 'hex') };
  });
  if (new Set(keys.map(({ id }) => id)).size < keys.length) throw new Error('an id stands there twice');
  return keys;
}

/** The path of an image, signed, or unsigned without a key. `base64` hides nothing, but survives careless proxies. */
export function signedPath(
  { options, source }: ImageAddress,
  { key, base64 = false }: { readonly key: UrlKey | undefined; readonly base64?: boolean },
): string {
  const canonical = canonicalOf(options, source);
  const signature = key === undefined ? UNSIGNED : signatureOf(key, canonical);
  const written = base64 ? BASE64_PREFIX + Buffer.from(source).toString('base64url') : encode(source);
  return `/v1/images/${signature}/${optionsText(options)}/${written}`;
}

/** Takes the path of a request apart, as it came. Throws Problem `invalid_request`. Says nothing of the signature. */
export function parseSignedPath(path: string): SignedAddress {
  const [, signature = '', optionText = '', sourceText = ''] =
    /^\/v1\/images\/([^/?#]+)\/([^/?#]+)\/([^/?#]+)\/?$/.exec(path) ?? [];
  if (sourceText === '') {
    throw new Problem(
      'invalid_request',
      'The address must be /v1/images/{signature}/{options}/{source}, with nothing after it. A URL as the source is percent-encoded, its slashes too, or written as base64:….',
    );
  }
  const options = imageOptions(optionText);
  const source = readSource(sourceText);
  return { signature, options, source, canonical: canonicalOf(options, source) };
}

/** Which of the keys made the signature. Takes as long for a wrong as for a right one. */
export function signerOf(
  keys: readonly UrlKey[],
  { signature, canonical }: Pick<SignedAddress, 'signature' | 'canonical'>,
): UrlKey | undefined {
  const given = Buffer.from(signature);
  let found: UrlKey | undefined;
  for (const key of keys) {
    const right = Buffer.from(signatureOf(key, canonical));
    if (given.length === right.length && timingSafeEqual(given, right)) found ??= key;
  }
  return found;
}

/** The path of a request as it may stand in a log: who has a signature has what it signs. */
export function withoutSignature(path: string): string {
  return path.replace(/^(\/v1\/images\/)[^/?#]+(?=\/)/, '$1…');
}

/** HMAC-SHA256 (RFC 2104), all 32 bytes as base64url. */
function signatureOf({ secret }: UrlKey, canonical: string): string {
  return createHmac('sha256', secret).update(canonical).digest('base64url');
}

function canonicalOf(options: ReadonlyMap<string, string>, source: string): string {
  return `/${optionsText(options)}/${encode(source)}`;
}

function optionsText(options: ReadonlyMap<string, string>): string {
  if (options.size === 0) return NO_OPTIONS;
  // By code units, which every language can do the same.
  const sorted = [...options].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
}

/** Options as they stand in an address, `width=320&format=webp` or `-`. Throws Problem `invalid_request`. */
export function imageOptions(text: string): Map<string, string> {
  const options = new Map<string, string>();
  if (text === NO_OPTIONS) return options;
  const pairs = text.split('&', MAX_OPTIONS + 1);
  if (pairs.length > MAX_OPTIONS)
    throw new Problem('invalid_request', `There are more than ${MAX_OPTIONS} options.`);
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1) {
      throw new Problem(
        'invalid_request',
        'Options are written name=value, joined by &, such as width=320&format=webp; or as a single - for none.',
      );
    }
    const name = decode(pair.slice(0, at));
    if (options.has(name))
      throw new Problem('invalid_request', `The option ${JSON.stringify(name.slice(0, 64))} is there twice.`);
    options.set(name, decode(pair.slice(at + 1)));
  }
  return options;
}

function readSource(text: string): string {
  const plain = decode(text);
  if (!plain.startsWith(BASE64_PREFIX)) return plain;
  const encoded = plain.slice(BASE64_PREFIX.length);
  if (!/^[A-Za-z0-9_-]+$/.test(encoded))
    throw new Problem('invalid_request', 'The source after base64: is not base64url.');
  return Buffer.from(encoded, 'base64url').toString();
}

/** Everything but the unreserved characters of RFC 3986 (2.3), as other languages do it too. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new Problem('invalid_request', 'The address has a % that is no percent-encoding of UTF-8.', {
      cause: error,
    });
  }
}
