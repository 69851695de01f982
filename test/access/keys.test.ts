import { expect, it } from 'vitest';
import type { RecordKind, Records } from '../../src/contracts.ts';
import { createKeys, KEY_FRESH_MS } from '../../src/access/keys.ts';
import type { ApiKey } from '../../src/access/keys.ts';
import { createSessions, SESSION_SECONDS, SESSIONS_PER_KEY } from '../../src/access/sessions.ts';
import { openRegisters } from './records.ts';

const NEW = { tenant: 'acme', name: 'ci', scopes: ['jobs:read'], expiresAt: null } as const;
const STORED: RecordKind<ApiKey> = { name: 'key' };
const HOUR = 3_600_000;

const refusal = (why: string) => ({
  code: 'unauthenticated',
  message: expect.stringContaining(why) as string,
});

it('makes keys whose secret is kept nowhere', async () => {
  await using registers = await openRegisters();
  const keys = createKeys({ ...registers, clock: registers.now });
  expect(await keys.exist()).toBe(false);
  const { key, text } = await keys.create(NEW);
  expect(text).toMatch(/^mm_[0-9a-z]{12}_[A-Za-z0-9_-]{43}$/);
  const secret = text.slice(16);
  const stored = await registers.records.get(STORED, key.id);
  expect(JSON.stringify(stored)).not.toContain(secret);
  expect(stored?.value.secretHash).toMatch(/^[0-9a-f]{64}$/);
  expect(await keys.verify(text)).toMatchObject({ ...NEW, id: key.id });
  expect(await keys.exist()).toBe(true);
});

it('refuses what is no key, unknown, changed, expired', async () => {
  await using registers = await openRegisters();
  const keys = createKeys({ ...registers, clock: registers.now });
  const { text } = await keys.create({ ...NEW, expiresAt: registers.now() + HOUR });
  const other = (await keys.create(NEW)).text;
  await expect(keys.verify('secret')).rejects.toMatchObject(refusal('is no key'));
  await expect(keys.verify(`${text} `)).rejects.toMatchObject(refusal('is no key'));
  await expect(keys.verify(text.replace('mm_', 'ms_'))).rejects.toMatchObject(refusal('is no key'));
  // The id of one and the secret of another.
  await expect(keys.verify(text.slice(0, 16) + other.slice(16))).rejects.toMatchObject(
    refusal('no such key'),
  );
  await expect(keys.verify(`mm_000000000000_${text.slice(16)}`)).rejects.toMatchObject(
    refusal('no such key'),
  );
  registers.pass(HOUR - 1);
  await keys.verify(text);
  registers.pass(1);
  await expect(keys.verify(text)).rejects.toMatchObject(refusal('expired at 2026-03-01T13:00:01'));
  await keys.verify(other);
});

it('revokes for other processes too, as soon as they look again', async () => {
  await using registers = await openRegisters();
  const [here, there] = [0, 1].map(() => createKeys({ ...registers, clock: registers.now }));
  if (here === undefined || there === undefined) throw new Error('two were made');
  const { key, text } = await here.create(NEW);
  await there.verify(text);
  await there.verify(text);
  expect((await here.revoke(key.id))?.revokedAt).toBe(registers.now());
  await expect(here.verify(text)).rejects.toMatchObject(refusal('was revoked at 2026-03-01T12:00:01'));
  registers.pass(KEY_FRESH_MS);
  await expect(there.verify(text)).rejects.toMatchObject(refusal('was revoked'));
  expect(await there.usable(key.id)).toBeUndefined();
  registers.pass(HOUR);
  // A second time says what the first did, and the key still counts as one that was made.
  expect((await there.revoke(key.id))?.revokedAt).toBe(registers.now() - HOUR - KEY_FRESH_MS);
  expect(await createKeys(registers).exist()).toBe(true);
  expect(await there.revoke('000000000000')).toBeUndefined();
});

it('notes the last use once an hour, and never over a revocation', async () => {
  await using registers = await openRegisters();
  const writes: Promise<boolean>[] = [];
  const records: Records = {
    ...registers.records,
    put(...put) {
      const written = registers.records.put(...put);
      writes.push(written);
      return written;
    },
  };
  const keys = createKeys({ ...registers, records, clock: registers.now });
  const { key, text } = await keys.create(NEW);
  const lastUse = async (): Promise<number | null | undefined> => {
    await Promise.all(writes);
    return (await registers.records.get(STORED, key.id))?.value.lastUsedAt;
  };
  const first = registers.now();
  for (let uses = 0; uses < 5; uses++) await keys.verify(text);
  expect(await lastUse()).toBe(first);
  registers.pass(HOUR - 1);
  await keys.verify(text);
  expect(await lastUse()).toBe(first);
  expect(writes).toHaveLength(2);
  registers.pass(1);
  const before = writes.length;
  await keys.verify(text);
  expect(await lastUse()).toBe(first + HOUR);
  expect(writes.length).toBe(before + 1);
  registers.pass(HOUR);
  // Both at the same moment.
  await Promise.all([keys.verify(text), keys.revoke(key.id)]);
  await Promise.all(writes);
  expect((await registers.records.get(STORED, key.id))?.value.revokedAt).toBe(registers.now());
});

it('lists page by page', async () => {
  await using registers = await openRegisters();
  const keys = createKeys(registers);
  const made = await Promise.all([1, 2, 3].map(() => keys.create(NEW)));
  const first = await keys.list({ limit: 2 });
  const second = await keys.list({ limit: 2, after: first.next ?? '' });
  expect(second.next).toBeNull();
  expect([...first.items, ...second.items].map(({ id }) => id).toSorted()).toEqual(
    made.map(({ key }) => key.id).toSorted(),
  );
});

it('opens sessions that end with their time, their key, or on demand', async () => {
  await using registers = await openRegisters();
  const keys = createKeys({ ...registers, clock: registers.now });
  const sessions = createSessions({ ...registers, keys, clock: registers.now });
  const { key, text } = await keys.create(NEW);
  const [left, stays, ends] = await Promise.all([1, 2, 3].map(() => sessions.open(key)));
  if (left === undefined || stays === undefined || ends === undefined) throw new Error('three were opened');
  expect(stays).toMatch(/^ms_/);
  expect(stays).not.toContain(text.slice(16));
  expect(await sessions.verify(stays)).toMatchObject({ key: { id: key.id } });
  await sessions.close(left);
  await sessions.close(left);
  await sessions.close(stays.slice(0, 16) + ends.slice(16));
  expect(await sessions.verify(left)).toBeUndefined();
  expect(await sessions.verify(stays)).toMatchObject({ key: { id: key.id } });
  expect(await sessions.verify(stays.slice(0, 16) + ends.slice(16))).toBeUndefined();
  expect(await sessions.verify(text)).toBeUndefined();
  // A session is no key.
  await expect(keys.verify(stays)).rejects.toMatchObject(refusal('is no key'));
  registers.pass(SESSION_SECONDS * 1000);
  expect(await sessions.verify(ends)).toBeUndefined();
  const again = await sessions.open(key);
  await keys.revoke(key.id);
  registers.pass(KEY_FRESH_MS);
  expect(await sessions.verify(again)).toBeUndefined();
});

it('knows by its id whether a session is open, also one that another process has closed', async () => {
  await using registers = await openRegisters();
  const keys = createKeys({ ...registers, clock: registers.now });
  const [here, there] = [0, 1].map(() => createSessions({ ...registers, keys, clock: registers.now }));
  if (here === undefined || there === undefined) throw new Error('two were made');
  const { key } = await keys.create(NEW);
  const [closed, expires] = [await here.open(key), await here.open(key)];
  const { id = '' } = (await there.verify(closed)) ?? {};
  const { id: other = '' } = (await there.verify(expires)) ?? {};
  expect(closed).toContain(id);
  expect([await there.isOpen(id), await there.isOpen(other)]).toEqual([true, true]);
  await here.close(closed);
  registers.pass(KEY_FRESH_MS);
  expect([await there.isOpen(id), await there.isOpen(other)]).toEqual([false, true]);
  registers.pass(SESSION_SECONDS * 1000);
  expect(await there.isOpen(other)).toBe(false);
});

it('keeps so many sessions of a key, the newest; other keys keep theirs', async () => {
  await using registers = await openRegisters();
  const keys = createKeys({ ...registers, clock: registers.now });
  const [here, there] = [0, 1].map(() => createSessions({ ...registers, keys, clock: registers.now }));
  if (here === undefined || there === undefined) throw new Error('two were made');
  const [{ key }, { key: other }] = [await keys.create(NEW), await keys.create(NEW)];
  const apart = await here.open(other);
  const opened: string[] = [];
  for (let count = 0; count < SESSIONS_PER_KEY + 3; count++) {
    registers.pass(1000);
    opened.push(await (count % 2 === 0 ? here : there).open(key));
  }
  registers.pass(KEY_FRESH_MS);
  const open = await Promise.all(opened.map(async (text) => (await here.verify(text)) !== undefined));
  expect(open).toEqual(opened.map((_, index) => index >= 3));
  expect(await there.verify(apart)).toMatchObject({ key: { id: other.id } });
});
