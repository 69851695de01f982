// What every adapter of Records must do. `open` makes an empty backend with two connections to it.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RecordKind, Records } from '../../src/contracts.ts';

export interface RecordsBackend {
  readonly left: Records;
  readonly right: Records;
  /** Lets time pass for both, in milliseconds. */
  pass(milliseconds: number): void;
  now(): number;
  close(): Promise<void>;
}

interface Note {
  readonly text: string;
}
const NOTES: RecordKind<Note> = { name: 'note' };
const OTHERS: RecordKind<Note> = { name: 'other' };
const HERE = { group: 'here' };

async function versionOf(records: Records, id: string): Promise<number> {
  return (await records.get(NOTES, id))?.version ?? 0;
}

export function recordsContract(name: string, open: () => Promise<RecordsBackend>): void {
  describe(`${name} keeps the contract of Records`, () => {
    let backend: RecordsBackend;
    beforeEach(async () => {
      backend = await open();
    });
    afterEach(() => backend.close());

    it('gives back what was put, on the other side too', async () => {
      const { left, right } = backend;
      expect(await left.get(NOTES, 'a')).toBeUndefined();
      expect(await left.put(NOTES, 'a', { text: 'first' }, HERE, 0)).toBe(true);
      expect(await right.get(NOTES, 'a')).toEqual({
        id: 'a',
        value: { text: 'first' },
        version: expect.any(Number),
      });
      expect(await right.get(OTHERS, 'a')).toBeUndefined();
    });

    it('tells one time to all', () => {
      const { left, right } = backend;
      expect([left.now(), right.now()]).toEqual([backend.now(), backend.now()]);
      backend.pass(5);
      expect(right.now()).toBe(backend.now());
    });

    it('writes only over the version that was read', async () => {
      const { left, right } = backend;
      expect(await left.put(NOTES, 'a', { text: '1' }, HERE, 0)).toBe(true);
      expect(await right.put(NOTES, 'a', { text: 'x' }, HERE, 0)).toBe(false);
      const first = await versionOf(left, 'a');
      expect(first).toBeGreaterThan(0);
      expect(await right.put(NOTES, 'a', { text: '2' }, HERE, first)).toBe(true);
      expect(await left.put(NOTES, 'a', { text: 'x' }, HERE, first)).toBe(false);
      expect(await left.get(NOTES, 'a')).toEqual({ id: 'a', value: { text: '2' }, version: first + 1 });
      expect(await left.put(NOTES, 'b', { text: 'x' }, HERE, first)).toBe(false);
      expect(await left.get(NOTES, 'b')).toBeUndefined();
    });

    it('lets one of many writers win', async () => {
      const { left, right } = backend;
      const tries = Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? left : right).put(NOTES, 'a', { text: String(index) }, HERE, 0),
      );
      const won = (await Promise.all(tries)).flatMap((yes, index) => (yes ? [String(index)] : []));
      expect(won).toHaveLength(1);
      expect((await left.get(NOTES, 'a'))?.value.text).toBe(won[0]);
    });

    it('deletes, if asked only a certain version', async () => {
      const { left, right } = backend;
      await left.put(NOTES, 'a', { text: '1' }, HERE, 0);
      const version = await versionOf(left, 'a');
      expect(await right.delete(NOTES, 'a', version + 1)).toBe(false);
      expect(await right.delete(NOTES, 'a', version)).toBe(true);
      expect(await left.delete(NOTES, 'a')).toBe(false);
      expect(await left.get(NOTES, 'a')).toBeUndefined();
    });

    it('lists those of a group, the greatest id first, page by page', async () => {
      const { left, right } = backend;
      for (const id of ['a', 'c', 'b']) await left.put(NOTES, id, { text: id }, HERE, 0);
      await left.put(NOTES, 'd', { text: 'd' }, { group: 'there' }, 0);
      const first = await right.list(NOTES, { group: 'here', limit: 2 });
      expect(first.items.map(({ id }) => id)).toEqual(['c', 'b']);
      const second = await right.list(NOTES, { group: 'here', limit: 2, after: first.next ?? '' });
      expect(second).toEqual({ items: [await left.get(NOTES, 'a')], next: null });
      const all = await right.list(NOTES, { limit: 10 });
      expect(all.items.map(({ id }) => id)).toEqual(['d', 'c', 'b', 'a']);
    });

    it('tells what is due, the longest overdue first, until it is put off', async () => {
      const { left, right } = backend;
      const now = backend.now();
      await left.put(NOTES, 'later', { text: '' }, { ...HERE, dueAt: now + 1000 }, 0);
      await left.put(NOTES, 'now', { text: '' }, { ...HERE, dueAt: now }, 0);
      await left.put(NOTES, 'before', { text: '' }, { ...HERE, dueAt: now - 5 }, 0);
      await left.put(NOTES, 'never', { text: '' }, HERE, 0);
      const ids = async (at: number): Promise<string[]> =>
        (await right.due(NOTES, at, 10)).map(({ id }) => id);
      expect(await ids(now)).toEqual(['before', 'now']);
      expect(await ids(now + 1000)).toEqual(['before', 'now', 'later']);
      expect((await right.due(NOTES, now + 1000, 1)).map(({ id }) => id)).toEqual(['before']);
      const put = { ...HERE, dueAt: now + 5000 };
      await right.put(NOTES, 'before', { text: '' }, put, await versionOf(left, 'before'));
      await right.put(NOTES, 'now', { text: '' }, HERE, await versionOf(left, 'now'));
      expect(await ids(now + 1000)).toEqual(['later']);
    });

    it('finds what is due behind any number of expired ones', async () => {
      const { left, right } = backend;
      const [dueAt, expiresAt] = [backend.now(), backend.now() + 1000];
      const ids = Array.from({ length: 1200 }, (_, index) => `expired-${index}`);
      await Promise.all(ids.map((id) => left.put(NOTES, id, { text: '' }, { ...HERE, dueAt, expiresAt }, 0)));
      await left.put(NOTES, 'a', { text: '' }, { ...HERE, dueAt: dueAt + 1 }, 0);
      await left.put(NOTES, 'b', { text: '' }, { ...HERE, dueAt: dueAt + 2 }, 0);
      backend.pass(1000);
      const due = async (limit: number): Promise<string[]> =>
        (await right.due(NOTES, backend.now(), limit)).map(({ id }) => id);
      expect(await due(1)).toEqual(['a']);
      expect(await due(10)).toEqual(['a', 'b']);
    });

    it('forgets what has expired: it may be made anew', async () => {
      const { left, right } = backend;
      const soon = { ...HERE, dueAt: backend.now(), expiresAt: backend.now() + 1000 };
      await left.put(NOTES, 'a', { text: 'old' }, soon, 0);
      await left.put(NOTES, 'b', { text: 'old' }, soon, 0);
      const old = await versionOf(left, 'a');
      expect(await left.prune(backend.now(), 10)).toBe(0);
      backend.pass(1000);
      expect(await right.get(NOTES, 'a')).toBeUndefined();
      expect((await right.list(NOTES, { limit: 10 })).items).toEqual([]);
      expect(await right.due(NOTES, backend.now(), 10)).toEqual([]);
      expect(await right.put(NOTES, 'a', { text: 'x' }, HERE, old)).toBe(false);
      expect(await right.put(NOTES, 'a', { text: 'new' }, HERE, 0)).toBe(true);
      expect(await left.get(NOTES, 'a')).toMatchObject({ id: 'a', value: { text: 'new' } });
      expect(await left.put(NOTES, 'a', { text: 'x' }, HERE, old)).toBe(false);
      expect(await left.prune(backend.now(), 10)).toBe(1);
    });

    it.each(['deleted', 'deleted as it was', 'expired', 'expired and removed'])(
      'gives no version twice: not to one that was %s and made anew',
      async (how) => {
        const { left, right } = backend;
        const seen = new Set<number>();
        for (let life = 0; life < 4; life++) {
          expect(await left.put(NOTES, 'a', { text: 'new' }, HERE, 0)).toBe(true);
          // Some live longer than the one before: a count of lives alone would meet their versions again.
          for (let write = 0; write < [3, 1, 5, 2][life]!; write++) {
            const version = await versionOf(right, 'a');
            for (const old of seen) expect(await right.put(NOTES, 'a', { text: 'x' }, HERE, old)).toBe(false);
            for (const old of seen) expect(await right.delete(NOTES, 'a', old)).toBe(false);
            seen.add(version);
            const place = { ...HERE, expiresAt: backend.now() + 1000 };
            expect(await left.put(NOTES, 'a', { text: 'again' }, place, version)).toBe(true);
          }
          const last = await versionOf(right, 'a');
          expect(seen).not.toContain(last);
          seen.add(last);
          if (how === 'deleted') await right.delete(NOTES, 'a');
          else if (how === 'deleted as it was') await right.delete(NOTES, 'a', last);
          else backend.pass(1000);
          if (how === 'expired and removed') expect(await left.prune(backend.now(), 10)).toBe(1);
          expect(await left.get(NOTES, 'a')).toBeUndefined();
        }
        expect(seen.size).toBe(4 + 3 + 1 + 5 + 2);
      },
    );

    it('gives out all that is kept, by kind and id, piece by piece', async () => {
      const { left, right } = backend;
      const now = backend.now();
      await left.put(OTHERS, 'a', { text: 'of the last kind' }, HERE, 0);
      for (const id of ['c', 'a', 'b']) await left.put(NOTES, id, { text: id }, HERE, 0);
      const timed = { group: 'there', dueAt: now + 5, expiresAt: now + 1000 };
      await left.put(NOTES, 'b', { text: 'again' }, timed, await versionOf(left, 'b'));
      await left.put(NOTES, 'bb', { text: 'soon gone' }, { ...HERE, expiresAt: now + 10 }, 0);
      backend.pass(10);
      const first = await right.dump(undefined, 2);
      const plain = { group: 'here', dueAt: null, expiresAt: null };
      expect(first).toEqual([
        { kind: 'note', ...(await left.get(NOTES, 'a')), ...plain },
        { kind: 'note', ...(await left.get(NOTES, 'b')), ...timed },
      ]);
      const second = await right.dump(first[1], 2);
      expect(second).toEqual([
        { kind: 'note', ...(await left.get(NOTES, 'c')), ...plain },
        { kind: 'other', ...(await left.get(OTHERS, 'a')), ...plain },
      ]);
      expect(await right.dump(second[1], 2)).toEqual([]);
    });

    it('takes a record over with its version, its group and its times, and goes on from there', async () => {
      const { left, right } = backend;
      const now = backend.now();
      const kept = { id: 'a', value: { text: 'kept' }, version: 7, group: 'there' };
      const times = { dueAt: now + 5, expiresAt: now + 1000 };
      expect(await left.restore({ kind: 'note', ...kept, ...times })).toBe(true);
      expect(await right.get(NOTES, 'a')).toEqual({ id: 'a', value: { text: 'kept' }, version: 7 });
      expect(await right.get(OTHERS, 'a')).toBeUndefined();
      const listed = await right.list(NOTES, { group: 'there', limit: 10 });
      expect(listed.items).toEqual([await right.get(NOTES, 'a')]);
      expect(await right.due(NOTES, now + 4, 10)).toEqual([]);
      expect(await right.due(NOTES, now + 5, 10)).toHaveLength(1);
      expect(await right.put(NOTES, 'a', { text: 'x' }, HERE, 0)).toBe(false);
      expect(await right.put(NOTES, 'a', { text: 'next' }, { group: 'there', ...times }, 7)).toBe(true);
      expect(await versionOf(left, 'a')).toBe(8);
      backend.pass(1000);
      expect(await right.get(NOTES, 'a')).toBeUndefined();
    });

    it('does not take over what is there, and gives no version a second time', async () => {
      const { left, right } = backend;
      const kept = { kind: 'note', value: { text: 'kept' }, version: 1, group: 'here' };
      const times = { dueAt: null, expiresAt: null };
      await left.put(NOTES, 'a', { text: 'mine' }, HERE, 0);
      expect(await right.restore({ ...kept, id: 'a', ...times, version: 9 })).toBe(false);
      expect(await left.get(NOTES, 'a')).toMatchObject({ value: { text: 'mine' } });
      expect(await right.restore({ ...kept, id: 'b', ...times })).toBe(true);
      expect(await right.restore({ ...kept, id: 'b', ...times })).toBe(false);
      await left.delete(NOTES, 'b');
      // Whoever still holds what was read before must not write over it: the version is a new one.
      expect(await right.restore({ ...kept, id: 'b', ...times })).toBe(true);
      expect(await versionOf(left, 'b')).toBeGreaterThan(kept.version);
    });

    it('takes one over once, if two ask for it', async () => {
      const { left, right } = backend;
      const kept = { kind: 'note', id: 'a', value: { text: '' }, version: 3, group: 'here' };
      const won = await Promise.all(
        [left, right, left, right].map((side) => side.restore({ ...kept, dueAt: null, expiresAt: null })),
      );
      expect(won.filter(Boolean)).toHaveLength(1);
    });
  });
}
