// API keys: made, looked up, revoked. Never deleted, so that a server that once asked for keys always does.

import type { Page, RecordKind, Records, Stored } from '../contracts.ts';
import { FreshMap } from '../lib/fresh-map.ts';
import { Problem } from '../problems.ts';
import type { Scope } from './caller.ts';
import { hashSecret, isSecretOf, newToken, readToken, writeToken } from './token.ts';

export interface ApiKey {
  readonly id: string;
  readonly tenant: string;
  /** For people. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** SHA-256 of the secret, in hex. The secret itself is shown once and kept nowhere. */
  readonly secretHash: string;
  /** Milliseconds since 1970, as all times here. */
  readonly createdAt: number;
  /** To the hour. */
  readonly lastUsedAt: number | null;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
}

export type NewKey = Pick<ApiKey, 'tenant' | 'name' | 'scopes' | 'expiresAt'>;

export interface Keys {
  /** Whether a key was ever made: from then on everyone needs one. */
  exist(): Promise<boolean>;
  /** Makes a key. `text` is what its owner sends, and cannot be had again. Durable when it resolves. */
  create(key: NewKey): Promise<{ readonly key: ApiKey; readonly text: string }>;
  /** The key that was shown. Rejects `unauthenticated`. */
  verify(text: string): Promise<ApiKey>;
  /** The key of an id while it may be used. */
  usable(id: string): Promise<ApiKey | undefined>;
  /** From a second later on no process takes it. Undefined if there is no such key; revoking it twice changes nothing. */
  revoke(id: string): Promise<ApiKey | undefined>;
  list(filter: { readonly limit: number; readonly after?: string | undefined }): Promise<Page<ApiKey>>;
}

export interface KeysOptions {
  readonly records: Records;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Milliseconds on a clock that never jumps. */
  readonly clock?: () => number;
  /** The time of a key's last use could not be written. */
  readonly onError?: (error: unknown) => void;
}

const KEYS: RecordKind<ApiKey> = { name: 'key' };
/** So long a process goes on with what it read of a key; revoking promises a second. */
export const KEY_FRESH_MS = 400;
const MOST_KEYS = 10_000;
const USE_NOTED_MS = 3_600_000;

export function createKeys({
  records,
  now = records.now,
  clock,
  onError = () => undefined,
}: KeysOptions): Keys {
  const freshness = { forMs: KEY_FRESH_MS, most: MOST_KEYS, ...(clock !== undefined && { clock }) };
  const known = new FreshMap((id: string) => records.get(KEYS, id), freshness);
  const any = new FreshMap<'any', boolean>(async () => {
    const { items } = await records.list(KEYS, { limit: 1 });
    return items.length > 0;
  }, freshness);
  let everMade = false;
  const noting = new Set<string>();

  /** Once an hour and key, and without anybody waiting for it. */
  function noteUse({ id, value, version }: Stored<ApiKey>): void {
    if (noting.has(id) || (value.lastUsedAt !== null && now() - value.lastUsedAt < USE_NOTED_MS)) return;
    noting.add(id);
    // Fails against a write in between, such as a revocation: that one holds.
    records
      .put(KEYS, id, { ...value, lastUsedAt: now() }, { group: value.tenant }, version)
      .then(() => known.forget(id), onError)
      .finally(() => noting.delete(id));
  }

  function isUsable({ revokedAt, expiresAt }: ApiKey): boolean {
    return revokedAt === null && (expiresAt === null || now() < expiresAt);
  }

  return {
    async exist() {
      everMade ||= await any.get('any');
      return everMade;
    },

    async create({ tenant, name, scopes, expiresAt }) {
      const token = newToken();
      const key: ApiKey = {
        id: token.id,
        tenant,
        name,
        scopes,
        secretHash: hashSecret(token.secret),
        createdAt: now(),
        lastUsedAt: null,
        expiresAt,
        revokedAt: null,
      };
      if (!(await records.put(KEYS, key.id, key, { group: tenant }, 0)))
        throw new Error('an id of 60 random bits is taken');
      everMade = true;
      return { key, text: writeToken('mm', token) };
    },

    async verify(text) {
      const token = readToken('mm', text);
      if (token === undefined) throw refused('What was sent is no key; keys look like mm_…_….');
      const stored = await known.get(token.id);
      if (stored === undefined || !isSecretOf(token.secret, stored.value.secretHash))
        throw refused('This server has no such key.');
      const { value: key } = stored;
      if (key.revokedAt !== null)
        throw refused(`The key was revoked at ${new Date(key.revokedAt).toISOString()}.`);
      if (!isUsable(key)) throw refused(`The key expired at ${new Date(key.expiresAt ?? 0).toISOString()}.`);
      noteUse(stored);
      return key;
    },

    async usable(id) {
      const stored = await known.get(id);
      return stored !== undefined && isUsable(stored.value) ? stored.value : undefined;
    },

    async revoke(id) {
      for (;;) {
        const stored = await records.get(KEYS, id);
        if (stored === undefined || stored.value.revokedAt !== null) return stored?.value;
        const revoked = { ...stored.value, revokedAt: now() };
        // Its last use may be noted at the same moment: then again.
        if (await records.put(KEYS, id, revoked, { group: revoked.tenant }, stored.version)) {
          known.forget(id);
          return revoked;
        }
      }
    },

    async list(filter) {
      const { items, next } = await records.list(KEYS, filter);
      return { items: items.map(({ value }) => value), next };
    },
  };
}

/** RFC 6750 §3.1: credentials were sent and do not hold. */
function refused(why: string): Problem {
  return new Problem('unauthenticated', `${why} Ask the operator of this server for another one.`, {
    headers: { 'www-authenticate': 'Bearer realm="mediamill", error="invalid_token"' },
  });
}
