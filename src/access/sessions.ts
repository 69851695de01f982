// Sessions of browsers, which cannot send a header with <img>, <video> and EventSource: a cookie that may only read.

import type { RecordKind, Records } from '../contracts.ts';
import { FreshMap } from '../lib/fresh-map.ts';
import type { ApiKey, Keys } from './keys.ts';
import { KEY_FRESH_MS } from './keys.ts';
import { hashSecret, isSecretOf, newToken, readToken, writeToken } from './token.ts';

interface Session {
  readonly keyId: string;
  readonly secretHash: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export interface Sessions {
  /** What the cookie is to say. Ends the oldest of the key's sessions where it would have too many. */
  open(key: Pick<ApiKey, 'id'>): Promise<string>;
  /** The session of a cookie and the key behind it, while both hold. */
  verify(text: string): Promise<{ readonly id: string; readonly key: ApiKey } | undefined>;
  /** Whether a session has neither ended nor been closed, at most as long ago as KEY_FRESH_MS. */
  isOpen(id: string): Promise<boolean>;
  /** Twice is harmless. */
  close(text: string): Promise<void>;
}

export const SESSION_SECONDS = 7 * 86_400;
const SESSIONS: RecordKind<Session> = { name: 'session' };
const MOST_SESSIONS = 10_000;
export const SESSIONS_PER_KEY = 20;
/** More of one key are ended by and by. */
const LISTED = 100;

export function createSessions({
  records,
  keys,
  now = records.now,
  clock,
}: {
  readonly records: Records;
  readonly keys: Pick<Keys, 'usable'>;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Milliseconds on a clock that never jumps. */
  readonly clock?: () => number;
}): Sessions {
  const known = new FreshMap((id: string) => records.get(SESSIONS, id), {
    forMs: KEY_FRESH_MS,
    most: MOST_SESSIONS,
    ...(clock !== undefined && { clock }),
  });

  async function find(text: string): Promise<{ id: string; session: Session } | undefined> {
    const token = readToken('ms', text);
    const stored = token === undefined ? undefined : await known.get(token.id);
    if (token === undefined || stored === undefined) return undefined;
    return isSecretOf(token.secret, stored.value.secretHash)
      ? { id: token.id, session: stored.value }
      : undefined;
  }

  /** After the new one is there: whoever of two looks last sees both. */
  async function endOldest(keyId: string): Promise<void> {
    const { items } = await records.list(SESSIONS, { group: keyId, limit: LISTED });
    const oldestFirst = items.toSorted(
      (left, right) => left.value.createdAt - right.value.createdAt || (left.id < right.id ? -1 : 1),
    );
    for (const { id } of oldestFirst.slice(0, Math.max(0, items.length - SESSIONS_PER_KEY))) {
      await records.delete(SESSIONS, id);
      known.forget(id);
    }
  }

  return {
    async open({ id: keyId }) {
      const token = newToken();
      const createdAt = now();
      const place = { group: keyId, expiresAt: createdAt + SESSION_SECONDS * 1000 };
      const session = { keyId, secretHash: hashSecret(token.secret), createdAt };
      if (!(await records.put(SESSIONS, token.id, session, place, 0)))
        throw new Error('an id of 60 random bits is taken');
      await endOldest(keyId);
      return writeToken('ms', token);
    },

    async verify(text) {
      const found = await find(text);
      const key = found === undefined ? undefined : await keys.usable(found.session.keyId);
      return found === undefined || key === undefined ? undefined : { id: found.id, key };
    },

    async isOpen(id) {
      return (await known.get(id)) !== undefined;
    },

    async close(text) {
      const found = await find(text);
      if (found === undefined) return;
      await records.delete(SESSIONS, found.id);
      known.forget(found.id);
    },
  };
}
