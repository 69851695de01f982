// Records in Redis, for all processes of all machines of a fleet.

import type { KeptRecord, RecordKind, Records, Stored } from '../contracts.ts';
import { RECORD_SCRIPTS } from './redis-records-scripts.ts';
import { asked, openRegister } from './redis-register.ts';
import type { RedisRegisterOptions } from './redis-register.ts';

/** Id, version, document, group, due, expires. */
type Row = readonly [string, number, string, string, string, string];

/** So many are removed in one call, during which nobody else is served. */
const PRUNED_AT_ONCE = 200;

/** Opens the records. Rejects with an Error for people where Redis cannot be reached or used. */
export async function openRedisRecords(options: RedisRegisterOptions): Promise<Records> {
  const { base, redis, run, now, close } = await openRegister('records', RECORD_SCRIPTS, options);

  /** The first `limit` living of an index, behind `from`. */
  async function page(
    order: 'up' | 'down',
    { index, kind, from, limit }: { index: string; kind: string; from: string; limit: number },
  ): Promise<Row[]> {
    const rows: Row[] = [];
    for (let next = from; next !== '' && rows.length < limit; ) {
      const left = limit - rows.length;
      const part = await run<[Row[], string]>('page', order, index, kind, next, left, now());
      rows.push(...part[0]);
      next = part[1];
    }
    return rows;
  }

  return {
    now,

    async get<T>({ name }: RecordKind<T>, id: string) {
      const fields = redis.hmget(`${base}:record:${name}:${id}`, 'version', 'expires', 'document');
      const [version, expires, document] = await asked(fields);
      if (version == null || document == null) return undefined;
      if (expires != null && expires !== '' && Number(expires) <= now()) return undefined;
      return { id, version: Number(version), value: JSON.parse(document) as T };
    },

    async put({ name }, id, value, { group, dueAt, expiresAt }, version) {
      const document = JSON.stringify(value);
      const place = [group, dueAt ?? '', expiresAt ?? ''];
      return (await run<number>('put', name, id, version, now(), ...place, document)) === 1;
    },

    async delete({ name }, id, version) {
      return (await run<number>('remove', name, id, version ?? '', now())) === 1;
    },

    async list<T>(
      { name }: RecordKind<T>,
      { group, limit, after }: { group?: string | undefined; limit: number; after?: string | undefined },
    ) {
      const rows = await page('down', {
        index: group === undefined ? `ids:${name}` : `group:${name}:${group}`,
        kind: name,
        from: after === undefined ? '+' : `(${after}`,
        limit: limit + 1,
      });
      const items = rows.slice(0, limit).map((row) => stored<T>(row));
      return { items, next: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
    },

    async due<T>({ name }: RecordKind<T>, until: number, limit: number) {
      const rows: Row[] = [];
      // One that is taken out meanwhile moves the rest up, and they are found at the next look.
      for (let next = 0; next >= 0 && rows.length < limit; ) {
        const part = await run<[Row[], number]>('due', name, until, limit - rows.length, now(), next);
        rows.push(...part[0]);
        next = part[1];
      }
      return rows.map((row) => stored<T>(row));
    },

    async prune(until, limit) {
      let pruned = 0;
      while (pruned < limit) {
        const most = Math.min(PRUNED_AT_ONCE, limit - pruned);
        const removed = await run<number>('prune', until, most);
        pruned += removed;
        if (removed < most) break;
      }
      return pruned;
    },

    async dump(after, limit) {
      const first = after === undefined ? '-' : `[${after.kind}`;
      const kinds = await asked(redis.zrange(`${base}:kinds`, first, '+', 'BYLEX'));
      const records: KeptRecord[] = [];
      for (const kind of kinds) {
        if (records.length >= limit) break;
        const from = kind === after?.kind ? `(${after.id}` : '-';
        const left = limit - records.length;
        const rows = await page('up', { index: `ids:${kind}`, kind, from, limit: left });
        records.push(...rows.map((row) => kept(kind, row)));
      }
      return records;
    },

    async restore({ kind, id, value, version, group, dueAt, expiresAt }) {
      const place = [group, dueAt ?? '', expiresAt ?? ''];
      return (await run<number>('restore', kind, id, version, ...place, JSON.stringify(value))) === 1;
    },

    close,
  };
}

function stored<T>([id, version, document]: Row): Stored<T> {
  return { id, version, value: JSON.parse(document) as T };
}

function kept(kind: string, row: Row): KeptRecord {
  const [, , , group, due, expires] = row;
  const time = (text: string): number | null => (text === '' ? null : Number(text));
  return { kind, ...stored(row), group, dueAt: time(due), expiresAt: time(expires) };
}
