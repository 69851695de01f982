// GET of a remote file for a client: https, allowed and public hosts only, bounded in bytes, hops and time.

import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { Problem } from '../problems.ts';
import { AddressRefused, guardedLookup, isPublicAddress } from './address-guard.ts';
import { OwnBytes } from './own-bytes.ts';

export interface SafeFetchOptions {
  /** The allow list: asked for the first address and for every redirect. */
  readonly isAllowed: (url: URL) => boolean;
  /** Which IP addresses may be connected to; for tests, which have none but the machine's own. */
  readonly isAddressAllowed?: (address: string) => boolean;
  /** Certificates that are trusted instead of the system's, as PEM. */
  readonly ca?: string;
  /** Milliseconds until a connection must stand, and for the whole of a fetch. */
  readonly connectMs?: number;
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

const MAX_REDIRECTS = 3;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export function createSafeFetch(options: SafeFetchOptions): SafeFetch {
  const { totalMs = 20_000 } = options;
  return async (address, { maxBytes, signal }) => {
    const late = AbortSignal.timeout(totalMs);
    const either = signal === undefined ? late : AbortSignal.any([signal, late]);
    let url = URL.parse(address);
    try {
      for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
        const answer = await open(checked(url, options), options, either);
        const { statusCode = 0, headers } = answer;
        if (!REDIRECTS.has(statusCode)) return await bytesOf(answer, url?.host ?? '', maxBytes);
        answer.destroy();
        url = URL.parse(headers.location ?? '', url?.href);
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw asProblem(error, url?.host ?? 'the host', late.aborted);
    }
    throw new Problem('source_unavailable', `The source redirects more than ${MAX_REDIRECTS} times.`);
  };
}

function checked(url: URL | null, { isAllowed, isAddressAllowed = isPublicAddress }: SafeFetchOptions): URL {
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
  if (isIP(host) !== 0 && !isAddressAllowed(host)) throw new AddressRefused(`${host} is not public`);
  return url;
}

/** Resolves with the head of the answer. */
function open(
  url: URL,
  { isAddressAllowed, ca, connectMs = 3000 }: SafeFetchOptions,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = httpsRequest(url, {
    // A connection of its own: none that was opened under other rules is used again, and nothing is carried over.
    agent: false,
    lookup: guardedLookup(isAddressAllowed),
    signal,
    ...(ca !== undefined && { ca }),
    headers: {
      accept: 'image/avif, image/webp, image/jpeg, image/png, image/gif, image/tiff, image/*;q=0.5',
      'accept-encoding': 'identity',
      'user-agent': 'mediamill',
    },
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

async function bytesOf(
  answer: IncomingMessage,
  host: string,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { statusCode = 0, headers } = answer;
    const encoding = headers['content-encoding'];
    if (statusCode === 404 || statusCode === 410)
      throw new Problem('source_not_found', `${host} answers ${statusCode}: there is no such file.`);
    if (statusCode !== 200)
      throw new Problem('source_unavailable', `${host} answers ${statusCode} instead of the file.`);
    if (encoding !== undefined && encoding !== 'identity')
      throw new Problem('source_unavailable', `${host} sends the file compressed, although not asked to.`);
    const announced = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
    if (announced !== undefined && announced > maxBytes) throw tooLarge(maxBytes);
    const bytes = new OwnBytes(announced, maxBytes);
    for await (const chunk of answer as AsyncIterable<Uint8Array>) {
      if (bytes.length + chunk.length > maxBytes) throw tooLarge(maxBytes);
      bytes.push(chunk);
    }
    return bytes.take();
  } finally {
    answer.destroy();
  }
}

function tooLarge(maxBytes: number): Problem {
  return new Problem(
    'payload_too_large',
    `The source has more than the ${maxBytes} bytes that are allowed here.`,
  );
}

function asProblem(error: unknown, host: string, late: boolean): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof AddressRefused) {
    return new Problem('source_forbidden', `${host} has no public address: nothing is fetched from it.`, {
      cause: error,
    });
  }
  return new Problem(
    'source_unavailable',
    late
      ? `${host} did not send the whole file in time.`
      : `${host} could not be reached, or the connection broke.`,
    { cause: error },
  );
}
