// Signatures of webhooks, and the secrets that make them (Standard Webhooks, https://www.standardwebhooks.com).

import { createHmac, randomBytes } from 'node:crypto';

const PREFIX = 'whsec_';
const NEW_BYTES = 32;
/** Of a secret, as the specification wants them. */
const MIN_BYTES = 24;
const MAX_BYTES = 64;

/** A new secret, in the form in which it is handed out: `whsec_` and 32 random bytes in base64. */
export function newWebhookSecret(): string {
  return PREFIX + randomBytes(NEW_BYTES).toString('base64');
}

/**
 * Reads a comma-separated list of `whsec_…`. Throws an Error that names the entry by its place, never by what it says: it
 * is a secret.
 */
export function parseWebhookSecrets(text: string): string[] {
  return text.split(',').map((entry, index) => {
    const secret = entry.trim();
    if (bytesOf(secret) === undefined) {
      throw new Error(
        `entry ${index + 1} is not whsec_ and ${MIN_BYTES} to ${MAX_BYTES} bytes in base64. One is made by: echo "whsec_$(openssl rand -base64 32)"`,
      );
    }
    return secret;
  });
}

/** What is signed. `timestamp` is that of the attempt, in seconds since 1970. */
export interface SignedMessage {
  readonly id: string;
  readonly timestamp: number;
  readonly body: string;
}

/** The value of `webhook-signature`: one `v1,<base64>` for each secret, so that receivers can change theirs at leisure. */
export function webhookSignature({ id, timestamp, body }: SignedMessage, secrets: readonly string[]): string {
  return secrets
    .map((secret) => {
      const key = bytesOf(secret);
      if (key === undefined) throw new Error('a webhook secret is not of the form whsec_…');
      return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
    })
    .join(' ');
}

function bytesOf(secret: string): Buffer | undefined {
  const encoded = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : '';
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return undefined;
  const bytes = Buffer.from(encoded, 'base64');
  return bytes.length >= MIN_BYTES && bytes.length <= MAX_BYTES ? bytes : undefined;
}
