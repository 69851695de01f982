// GET of a remote file for a client: https, allowed and public hosts only, bounded in bytes, hops and time.

import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { Problem } from '../problems.ts';
import { AddressRefused, guardedLookup, isPublicAddress } from './address-guard.ts';
import { OwnBytes } from './own-bytes.ts';

export interface RemoteRules {
  /** The allow list: asked for the first address and for every redirect. */
  readonly isAllowed: (url: URL) => boolean;
  /** Which IP addresses may be connected to; for tests, which have none but the machine's own. */
  readonly isAddressAllowed?: (address: string) => boolean;
  /** Certificates that are trusted instead of the system's, as PEM. */
  readonly ca?: string;
  /** Milliseconds until a connection must stand. */
  readonly connectMs?: number;
}

export interface SafeFetchOptions extends RemoteRules {
  /** Milliseconds for the whole of a fetch. */
  readonly totalMs?: number;
}

/**
 * All bytes of a URL in an ArrayBuffer of their own. Rejects with a Problem (`source_forbidden`, `source_not_found`,
 * `source_unavailable`, `payload_too_large`) or with the signal's reason.
 */
export type SafeFetch = (
  url: string,
  options: { readonly maxBytes: number; readonly signal?: AbortSignal | undefined },
) => Promise<Uint8Array<ArrayBuffer>>;

/** The beginning of an answer that is the file. Whoever has it destroys `message`. */
export interface RemoteAnswer {
  readonly message: IncomingMessage;
  /** Where it came from at last, after redirects. */
  readonly url: URL;
  /** As announced, in bytes; undefined where that is not told. */
  readonly announced: number | undefined;
}

const MAX_REDIRECTS = 3;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Refusals that may pass: a time-out, too early, too many requests (RFC 9110, 8470, 6585). Any other 4xx is for good. */
const PASSING = new Set([408, 425, 429]);
const IMAGES = 'image/avif, image/webp, image/jpeg, image/png, image/gif, image/tiff, image/*;q=0.5';

export function createSafeFetch(options: SafeFetchOptions): SafeFetch {
  const { totalMs = 20_000 } = options;
  return async (address, { maxBytes, signal }) => {
    const late = AbortSignal.timeout(totalMs);
    const either = signal === undefined ? late : AbortSignal.any([signal, late]);
    try {
      const answer = await openRemote(address, options, { maxBytes, signal: either, accept: IMAGES });
      return await bytesOf(answer, maxBytes);
    } catch (error) {
      signal?.throwIfAborted();
      throw remoteProblem(error, hostOf(address), late.aborted);
    }
  };
}

/**
 * Follows redirects up to the answer that is the file. Rejects with a Problem, or with what `remoteProblem` makes one
 * of: the caller knows whether it was too late or not wanted any more.
 */
export async function openRemote(
  address: string,
  rules: RemoteRules,
  { maxBytes, signal, accept }: { maxBytes: number; signal: AbortSignal; accept: string },
): Promise<RemoteAnswer> {
  let url = checkRemote(address, rules);
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const message = await open(url, rules, signal, accept);
    const { statusCode = 0, headers } = message;
    if (!REDIRECTS.has(statusCode)) return checkAnswer(message, url, maxBytes);
    message.destroy();
    const target = URL.parse(headers.location ?? '', url.href)?.href ?? '';
    url = checkRemote(target, rules);
  }
  throw new Problem('source_unavailable', `The source redirects more than ${MAX_REDIRECTS} times.`);
}

/** The address as a URL, if it may be asked at all. Throws `source_forbidden`. */
export function checkRemote(
  address: string,
  { isAllowed, isAddressAllowed = isPublicAddress }: Pick<RemoteRules, 'isAllowed' | 'isAddressAllowed'>,
): URL {
  const url = URL.parse(address);
  if (url === null) throw new Problem('source_forbidden', 'The source, or what it redirects to, is no URL.');
  if (url.protocol !== 'https:' || url.username !== '' || url.password !== '') {
    throw new Problem(
      'source_forbidden',
      'Only https addresses without a user name are fetched, redirects included.',
    );
  }
  if (!isAllowed(url)) {
    throw new Problem(
      'source_forbidden',
      `Nothing is fetched from ${url.host.slice(0, 100)} at this address: it is not on the server's list of sources.`,
    );
  }
  // `lookup` is not asked for these.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0 && !isAddressAllowed(host)) throw notPublic(url.host);
  return url;
}

/** Resolves with the head of the answer. */
function open(
  url: URL,
  { isAddressAllowed, ca, connectMs = 3000 }: RemoteRules,
  signal: AbortSignal,
  accept: string,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = httpsRequest(url, {
    // A connection of its own: none that was opened under other rules is used again, and nothing is carried over.
    agent: false,
    lookup: guardedLookup(isAddressAllowed),
    signal,
    ...(ca !== undefined && { ca }),
    headers: { accept, 'accept-encoding': 'identity', 'user-agent': 'mediamill' },
  });
  const slow = setTimeout(() => request.destroy(new Error('no connection in time')), connectMs);
  request.once('socket', (socket) => socket.once('secureConnect', () => clearTimeout(slow)));
  request.once('response', resolve);
  request.on('error', reject);
  request.once('close', () => {
    clearTimeout(slow);
    // After an answer that means nothing; without one, such as an upgrade, nobody else would say so.
    reject(new Error('the connection was closed without an answer'));
  });
  request.end();
  return promise;
}

/** Destroys an answer that is not the whole file as it is. */
function checkAnswer(message: IncomingMessage, url: URL, maxBytes: number): RemoteAnswer {
  try {
    const { statusCode = 0, headers } = message;
    const encoding = headers['content-encoding'];
    if (statusCode === 404 || statusCode === 410)
      throw new Problem('source_not_found', `${url.host} answers ${statusCode}: there is no such file.`);
    if (statusCode >= 400 && statusCode < 500 && !PASSING.has(statusCode))
      throw new Problem(
        'source_forbidden',
        `${url.host} answers ${statusCode}: it does not give us the file.`,
      );
    if (statusCode !== 200)
      throw new Problem('source_unavailable', `${url.host} answers ${statusCode} instead of the file.`);
    if (encoding !== undefined && encoding !== 'identity')
      throw new Problem(
        'source_unavailable',
        `${url.host} sends the file compressed, although not asked to.`,
      );
    const length = headers['content-length'];
    const announced = length === undefined ? undefined : Number(length);
    if (announced !== undefined && announced > maxBytes) throw remoteTooLarge(maxBytes);
    return { message, url, announced };
  } catch (error) {
    message.destroy();
    throw error;
  }
}

async function bytesOf(
  { message, announced }: RemoteAnswer,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const bytes = new OwnBytes(announced, maxBytes);
    for await (const chunk of message as AsyncIterable<Uint8Array>) {
      if (bytes.length + chunk.length > maxBytes) throw remoteTooLarge(maxBytes);
      bytes.push(chunk);
    }
    return bytes.take();
  } finally {
    message.destroy();
  }
}

export function remoteTooLarge(maxBytes: number): Problem {
  return new Problem(
    'payload_too_large',
    `The source has more than the ${maxBytes} bytes that are allowed here.`,
  );
}

/** What went wrong with a fetch, in our words. `late`: it was given up because its time was over. */
export function remoteProblem(error: unknown, host: string, late: boolean): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof AddressRefused) return notPublic(host, error);
  return new Problem(
    'source_unavailable',
    late
      ? `${host} did not send the whole file in time.`
      : `${host} could not be reached, or the connection broke.`,
    { cause: error },
  );
}

function notPublic(host: string, cause?: unknown): Problem {
  return new Problem('source_forbidden', `${host} has no public address: nothing is fetched from it.`, {
    cause,
  });
}

/** For people. */
export const hostOf = (address: string): string => URL.parse(address)?.host ?? 'the host';
