// The secrets that callers show: `mm_{id}_{secret}` is a key, `ms_{id}_{secret}` a browser's session.

import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

export type TokenKind = 'mm' | 'ms';

export interface Token {
  /** 12 letters and digits: finds the record, and is no secret. */
  readonly id: string;
  /** 32 random bytes, base64url. 256 bits need no brake against guessing. */
  readonly secret: string;
}

const ALPHABET = '0123456789abcdefghijklmnopqrstuv';
const TOKEN = /^(mm|ms)_([0-9a-z]{12})_([A-Za-z0-9_-]{43})$/;

export function newToken(): Token {
  const id = Array.from(randomBytes(12), (byte) => ALPHABET[byte & 31]).join('');
  return { id, secret: randomBytes(32).toString('base64url') };
}

export function writeToken(kind: TokenKind, { id, secret }: Token): string {
  return `${kind}_${id}_${secret}`;
}

/** Undefined for what cannot be a token of that kind. */
export function readToken(kind: TokenKind, text: string): Token | undefined {
  const [, prefix, id, secret] = TOKEN.exec(text) ?? [];
  return prefix === kind && id !== undefined && secret !== undefined ? { id, secret } : undefined;
}

/** What is kept of a secret: its SHA-256 in hex. One so long and random needs neither salt nor a slow hash. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret);
}

/** Whether the secret is the one of that hash. Takes as long for a wrong one as for the right one. */
export function isSecretOf(secret: string, secretHash: string): boolean {
  const [given, kept] = [Buffer.from(hashSecret(secret)), Buffer.from(secretHash)];
  return given.length === kept.length && timingSafeEqual(given, kept);
}
