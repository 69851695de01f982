// Whether a webhook came from the server: Standard Webhooks (https://www.standardwebhooks.com), by WebCrypto.

import { MediamillError } from './error.ts';

export interface VerifyOptions {
  /** How far the sender's clock and ours may be apart, in seconds. 300 unless told. */
  readonly toleranceSeconds?: number;
  /** Milliseconds since 1970. Now, unless told. */
  readonly now?: number;
}

type HeaderBag = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * The parsed body of a delivery that was signed with the secret (`whsec_…`; several while one is replaced). `body`: as
 * it came, byte for byte. Rejects with MediamillError `signature_invalid`.
 */
export async function verifyWebhook<T = unknown>(
  secret: string | readonly string[],
  headers: HeaderBag,
  body: string | Uint8Array<ArrayBuffer>,
  { toleranceSeconds = 300, now = Date.now() }: VerifyOptions = {},
): Promise<T> {
  const read = (name: string): string => {
    const value = headers instanceof Headers ? headers.get(name) : headers[name];
    if (typeof value !== 'string' || value === '') throw refused(`The header ${name} is missing.`);
    return value;
  };
  const id = read('webhook-id');
  const timestamp = read('webhook-timestamp');
  const signatures = read('webhook-signature');
  if (!/^\d{1,12}$/.test(timestamp)) throw refused('webhook-timestamp is not a number of seconds.');
  if (Math.abs(now / 1000 - Number(timestamp)) > toleranceSeconds)
    throw refused(`It was signed more than ${toleranceSeconds} s from now.`);
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body);
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${text}`);
  const given = signatures
    .split(' ')
    .filter((each) => each.startsWith('v1,'))
    .map((each) => bytesOf(each.slice(3)));
  for (const each of [secret].flat()) {
    const key = await crypto.subtle.importKey(
      'raw',
      bytesOf(each.replace(/^whsec_/, '')),
      { name: 'HMAC', hash: 'SHA-256' },
      false,
      ['verify'],
    );
    for (const signature of given) {
      if (await crypto.subtle.verify('HMAC', key, signature, signed)) return JSON.parse(text) as T;
    }
  }
  throw refused('None of its signatures was made with the secret.');
}

function refused(detail: string): MediamillError {
  return new MediamillError({ code: 'signature_invalid', status: 0, detail });
}

/** Empty where it is not base64: fits nothing. */
function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array(0);
  }
}
