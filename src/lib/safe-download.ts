// GET of a large remote file as a stream, by the rules of safe-fetch.ts: bounded in bytes, and in time by its size.

import { Transform } from 'node:stream';
import type { Readable } from 'node:stream';
import { cleanFileName } from './content-disposition.ts';
import { hostOf, openRemote, remoteProblem, remoteTooLarge } from './safe-fetch.ts';
import type { RemoteRules } from './safe-fetch.ts';

export interface SafeDownloadOptions extends RemoteRules {
  /** Milliseconds without a byte after which a host is given up. */
  readonly stallMs?: number;
  /** Milliseconds that any file may take, whatever its size. */
  readonly leastMs?: number;
}

export interface RemoteFile {
  /** Destroyed with a Problem if it does not come whole; may be destroyed, which closes the connection. */
  readonly body: Readable;
  /** As the host names it, or as its address ends. */
  readonly name: string | null;
  /** How many bytes the host says it has; undefined where that is not told. */
  readonly announced: number | undefined;
}

/**
 * Resolves when the file begins to come. Rejects, and destroys the body, with `source_forbidden`, `source_not_found`,
 * `source_unavailable`, `payload_too_large`, or with the signal's reason.
 */
export type SafeDownload = (
  url: string,
  options: {
    readonly maxBytes: number;
    readonly signal: AbortSignal;
    /** Told with every chunk: bytes so far, and those that were announced. */
    readonly onBytes?: (seen: number, announced: number | undefined) => void;
  },
) => Promise<RemoteFile>;

/** A host slower than this over the whole of a file, in bytes per second, keeps a place that others wait for. */
const LEAST_RATE = 64 * 1024;
/** Node takes what is longer for 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export function createSafeDownload(options: SafeDownloadOptions): SafeDownload {
  const { stallMs = 20_000, leastMs = 60_000 } = options;
  return async (address, { maxBytes, signal, onBytes }) => {
    const late = new AbortController();
    const give = (): void => late.abort();
    // For the head of the answer; its body has other bounds.
    let patience = setTimeout(give, stallMs);
    const either = AbortSignal.any([signal, late.signal]);
    const meant = (error: unknown): unknown =>
      signal.aborted ? signal.reason : remoteProblem(error, hostOf(address), late.signal.aborted);
    const { message, url, announced } = await openRemote(address, options, {
      maxBytes,
      signal: either,
      accept: '*/*',
    })
      .catch((error: unknown) => {
        throw meant(error);
      })
      .finally(() => clearTimeout(patience));

    const fair = leastMs + ((announced ?? maxBytes) / LEAST_RATE) * 1000;
    const total = setTimeout(give, Math.min(fair, LONGEST_TIMER_MS));
    let seen = 0;
    const body = new Transform({
      transform(chunk: Uint8Array, _encoding, done) {
        patience.refresh();
        seen += chunk.length;
        if (seen > maxBytes) done(remoteTooLarge(maxBytes));
        else {
          onBytes?.(seen, announced);
          done(null, chunk);
        }
      },
    });
    patience = setTimeout(() => {
      // A body that waits for our disk is not the host's fault.
      if (body.writableNeedDrain) patience.refresh();
      else give();
    }, stallMs);
    message.once('error', (error) => body.destroy(meant(error) as Error));
    message.once('close', () => {
      if (!message.complete) body.destroy(meant(new Error('the connection was closed')) as Error);
    });
    body.once('close', () => {
      clearTimeout(patience);
      clearTimeout(total);
      message.unpipe(body);
      message.destroy();
    });
    return { body: message.pipe(body), name: nameOf(message.headers, url), announced };
  };
}

/** The name at the end of an address's path. */
export function nameInUrl(url: URL): string | null {
  const last = url.pathname.split('/').at(-1) ?? '';
  try {
    return cleanFileName(decodeURIComponent(last));
  } catch {
    return cleanFileName(last);
  }
}

/** RFC 6266: `filename*` (RFC 8187, UTF-8 only) goes before `filename`. */
function nameOf(headers: { readonly 'content-disposition'?: string | undefined }, url: URL): string | null {
  const given = headers['content-disposition'] ?? '';
  const extended = /filename\*\s*=\s*utf-8'[^']*'([^;\s]{1,600})/i.exec(given)?.[1];
  if (extended !== undefined) {
    try {
      return cleanFileName(decodeURIComponent(extended)) ?? nameInUrl(url);
    } catch {
      // Not percent-encoded UTF-8: the plain form may be.
    }
  }
  const plain = /filename\s*=\s*(?:"([^"]{1,255})"|([^";\s]{1,255}))/i.exec(given);
  const name = plain?.[1] ?? plain?.[2];
  return (name === undefined ? null : cleanFileName(name)) ?? nameInUrl(url);
}
