// POST to a receiver that a client has named: public addresses only, no redirects, bounded in time and in what is read of the answer.

import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { AddressRefused, guardedLookup, isPublicAddress } from './address-guard.ts';
import type { ReceiverHosts } from './receiver-hosts.ts';

export interface SafePostOptions {
  /** Receivers inside one's own network: any address, and http. */
  readonly isOwn?: ReceiverHosts | undefined;
  /** Which IP addresses may be connected to; for tests, which have none but the machine's own. */
  readonly isAddressAllowed?: (address: string) => boolean;
  /** Certificates that are trusted instead of the system's, as PEM. */
  readonly ca?: string;
  /** Milliseconds until a connection must stand, and for the whole of a call. */
  readonly connectMs?: number;
  readonly totalMs?: number;
}

export interface Posted {
  readonly status: number;
  /** How the body of the answer begins, in printable characters; at most 500. */
  readonly head: string;
  /** As it came. */
  readonly retryAfter: string | undefined;
}

export interface PostMessage {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal?: AbortSignal | undefined;
}

/** Resolves with whatever is answered. Rejects with PostFailed where nothing is, or with the signal's reason. */
export type SafePost = (url: string, message: PostMessage) => Promise<Posted>;

/** There was no answer. The message is for the owner of the receiver. */
export class PostFailed extends Error {
  override readonly name = 'PostFailed';
}

const READ_BYTES = 4096;
const HEAD_CHARACTERS = 500;
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffd]+/g;

export function createSafePost(options: SafePostOptions = {}): SafePost {
  const { totalMs = 15_000 } = options;
  return async (address, { headers, body, signal }) => {
    const late = AbortSignal.timeout(totalMs);
    const either = signal === undefined ? late : AbortSignal.any([signal, late]);
    try {
      const answer = await send(checked(address, options), headers, body, options, either);
      const { statusCode = 0, headers: own } = answer;
      return { status: statusCode, head: await headOf(answer), retryAfter: own['retry-after'] };
    } catch (error) {
      signal?.throwIfAborted();
      throw new PostFailed(reasonOf(error, late.aborted, totalMs), { cause: error });
    }
  };
}

/** Looked at again with each call: the list of one's own hosts may have changed since the client named it. */
function checked(address: string, options: SafePostOptions): { url: URL; isOwn: boolean } {
  const { isOwn: isListed = () => false, isAddressAllowed = isPublicAddress } = options;
  const url = URL.parse(address);
  if (url === null) throw new PostFailed('the address is no URL');
  const isOwn = isListed(url);
  if (url.protocol !== 'https:' && !isOwn) throw new PostFailed('the address is not https');
  // `lookup` is not asked for these.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (!isOwn && isIP(host) !== 0 && !isAddressAllowed(host)) throw new AddressRefused();
  return { url, isOwn };
}

/** Resolves with the head of the answer. */
function send(
  { url, isOwn }: { readonly url: URL; readonly isOwn: boolean },
  headers: PostMessage['headers'],
  body: string,
  { isAddressAllowed, ca, connectMs = 3000 }: SafePostOptions,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const isTls = url.protocol === 'https:';
  const bytes = Buffer.from(body);
  const request: ClientRequest = (isTls ? httpsRequest : httpRequest)(url, {
    method: 'POST',
    // A connection of its own: none that was opened under other rules is used again, and nothing is carried over.
    agent: false,
    ...(!isOwn && { lookup: guardedLookup(isAddressAllowed) }),
    ...(ca !== undefined && { ca }),
    signal,
    headers: { ...headers, 'accept-encoding': 'identity', 'content-length': bytes.length },
  });
  const slow = setTimeout(
    () => request.destroy(new PostFailed(`no connection within ${connectMs} ms`)),
    connectMs,
  );
  request.once('socket', (socket) =>
    socket.once(isTls ? 'secureConnect' : 'connect', () => clearTimeout(slow)),
  );
  request.once('response', resolve);
  request.on('error', reject);
  request.once('close', () => {
    clearTimeout(slow);
    // After an answer that means nothing; without one, such as an upgrade, nobody else would say so.
    reject(new PostFailed('the connection was closed without an answer'));
  });
  request.end(bytes);
  return promise;
}

/** What is not read is never fetched: the connection goes with it. */
async function headOf(answer: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= READ_BYTES) break;
    }
  } catch {
    // The status has come, and it is what counts.
  } finally {
    answer.destroy();
  }
  const text = Buffer.concat(chunks).subarray(0, READ_BYTES).toString();
  return text.replace(CONTROL, ' ').trim().slice(0, HEAD_CHARACTERS);
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection broke before an answer came',
  EPIPE: 'the connection broke before an answer came',
  ENOTFOUND: 'the host name has no address',
  EAI_AGAIN: 'the host name could not be looked up',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the host cannot be reached',
  ETIMEDOUT: 'no connection in time',
};

function reasonOf(error: unknown, late: boolean, totalMs: number): string {
  if (late) return `no answer within ${totalMs / 1000} s`;
  if (error instanceof PostFailed) return error.message;
  if (error instanceof AddressRefused) return 'the host has an address that is not public';
  const code = (error as NodeJS.ErrnoException | null)?.code ?? '';
  if (REASONS[code] !== undefined) return REASONS[code];
  if (code.startsWith('HPE_')) return 'the answer is not HTTP';
  if (/CERT|ISSUER|SELF_SIGNED|^ERR_(?:TLS|SSL)|^EPROTO/.test(code))
    return `the certificate or the TLS connection is not valid (${code.slice(0, 60)})`;
  return 'the connection failed';
}
