// What every Meters must do, whatever keeps it: two sides of one backend stand for two processes.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Meters, Taken } from '../../src/contracts.ts';

export interface MetersBackend {
  /** Two connections to one backend. */
  readonly left: Meters;
  readonly right: Meters;
  now(): number;
  /** Lets time pass, in milliseconds. */
  pass(milliseconds: number): void;
  close(): Promise<void>;
}

const MINUTE = 60_000;

export function metersContract(name: string, open: () => Promise<MetersBackend>): void {
  describe(`${name} keeps the contract of Meters`, () => {
    let backend: MetersBackend;
    beforeEach(async () => {
      backend = await open();
    });
    afterEach(() => backend.close());

    const limit = { perMinute: 60, burst: 10 };

    it('lets exactly as many through as the bucket holds, on both sides together', async () => {
      const { left, right } = backend;
      const wide = { perMinute: 137, burst: 137 };
      const answers = await Promise.all(
        Array.from({ length: 1000 }, (_, index) => (index % 2 === 0 ? left : right).take('b', wide)),
      );
      expect(answers.filter(({ allowed }) => allowed)).toHaveLength(137);
      // Each token is told once.
      const told = answers.filter(({ allowed }) => allowed).map(({ remaining }) => remaining);
      expect(new Set(told).size).toBe(137);
      expect((await right.take('other', wide)).remaining).toBe(136);
    });

    it('says what is left, and when there is more', async () => {
      const { left, right } = backend;
      let last: Taken | undefined;
      for (let taken = 1; taken <= 10; taken++) {
        last = await (taken % 2 === 0 ? left : right).take('b', limit);
        expect(last).toMatchObject({ allowed: true, remaining: 10 - taken, retryMs: 0 });
      }
      expect(last?.resetMs).toBeCloseTo(10_000, 0);
      const refused = await left.take('b', limit);
      expect(refused).toMatchObject({ allowed: false, remaining: 0 });
      expect(refused.retryMs).toBeCloseTo(1000, 0);
      backend.pass(999);
      expect((await right.take('b', limit)).allowed).toBe(false);
      backend.pass(1);
      expect((await right.take('b', limit)).allowed).toBe(true);
      expect((await left.take('b', limit)).allowed).toBe(false);
      backend.pass(MINUTE);
      expect(await left.take('b', limit, 4)).toMatchObject({ allowed: true, remaining: 6 });
      expect(await right.take('b', limit, 7)).toMatchObject({ allowed: false, remaining: 6 });
      expect(await right.take('b', limit, 6)).toMatchObject({ allowed: true, remaining: 0 });
    });

    it('never waits longer than an empty bucket takes, though the clock goes back', async () => {
      const { left } = backend;
      await left.take('b', limit, 10);
      backend.pass(-3_600_000);
      const refused = await left.take('b', limit);
      expect(refused.allowed).toBe(false);
      expect(refused.retryMs).toBeCloseTo(1000, 0);
      backend.pass(1000);
      expect((await backend.right.take('b', limit)).allowed).toBe(true);
    });

    it('does not lose tokens to rounding', async () => {
      const odd = { perMinute: 7777, burst: 700 };
      for (let taken = 0; taken < 700; taken++)
        expect((await backend.left.take('b', odd)).allowed, String(taken)).toBe(true);
      expect((await backend.right.take('b', odd)).allowed).toBe(false);
    });

    it('refuses what no bucket of that size ever gives', async () => {
      await expect(backend.left.take('b', limit, 11)).rejects.toThrow(RangeError);
    });

    it('gives as many places as there are, on both sides together', async () => {
      const { left, right } = backend;
      const entered = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          (index % 2 === 0 ? left : right).enter('gate', 7, `holder-${index}`, MINUTE),
        ),
      );
      expect(entered.filter(Boolean)).toHaveLength(7);
      const holder = `holder-${entered.indexOf(true)}`;
      // Who is inside stays so.
      expect(await right.enter('gate', 7, holder, MINUTE)).toBe(true);
      expect(await right.enter('gate', 7, 'late', MINUTE)).toBe(false);
      expect(await right.enter('other gate', 1, 'late', MINUTE)).toBe(true);
      await left.leave('gate', holder);
      await left.leave('gate', holder);
      expect(await right.enter('gate', 7, 'late', MINUTE)).toBe(true);
      expect(await left.enter('gate', 7, holder, MINUTE)).toBe(false);
      expect(await left.enter('closed', 0, holder, MINUTE)).toBe(false);
    });

    it('takes a place back after its lease, unless it is renewed in time', async () => {
      const { left, right } = backend;
      expect(await left.enter('gate', 2, 'alive', MINUTE)).toBe(true);
      expect(await left.enter('gate', 2, 'dead', MINUTE)).toBe(true);
      backend.pass(MINUTE - 1);
      await right.renew('gate', 'alive', MINUTE);
      expect(await right.enter('gate', 2, 'next', MINUTE)).toBe(false);
      backend.pass(1);
      expect(await right.enter('gate', 2, 'next', MINUTE)).toBe(true);
      // It is somebody else's now.
      await left.renew('gate', 'dead', MINUTE);
      expect(await left.enter('gate', 3, 'third', MINUTE)).toBe(true);
      expect(await left.enter('gate', 3, 'fourth', MINUTE)).toBe(false);
    });

    it('adds up what is spent, on both sides together, and forgets it in time', async () => {
      const { left, right } = backend;
      const until = backend.now() + 1000;
      expect(await left.spent('a')).toBe(0);
      const sums = await Promise.all(
        Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? left : right).spend('a', 2.5, until)),
      );
      expect(Math.max(...sums)).toBe(250);
      expect(new Set(sums).size).toBe(100);
      expect(await right.spend('a', -50, until)).toBe(200);
      expect(await left.spent('a')).toBe(200);
      expect(await left.spent('b')).toBe(0);
      // Gigabytes a day do not lose their bytes.
      expect(await left.spend('c', 2 ** 52, until)).toBe(2 ** 52);
      expect(await left.spend('c', 1, until)).toBe(2 ** 52 + 1);
      backend.pass(1000);
      expect(await left.spent('a')).toBe(0);
      expect(await right.spend('a', 1, backend.now() + 1000)).toBe(1);
    });

    it('spends once under a name, however often it is tried, on whatever account, while that is kept', async () => {
      const { left, right } = backend;
      const until = backend.now() + 10 * MINUTE;
      const once = { name: 'job', until: backend.now() + MINUTE };
      const tries = Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? left : right).spend('a', 2.5, until, once),
      );
      expect(await Promise.all(tries)).toEqual(Array.from({ length: 20 }, () => 2.5));
      // A day later it would be another account.
      expect(await left.spend('b', 2.5, until, once)).toBe(0);
      expect(await left.spend('a', 1, until, { ...once, name: 'other' })).toBe(3.5);
      expect(await left.spend('a', 1, until)).toBe(4.5);
      backend.pass(MINUTE);
      expect(await right.spend('a', 2.5, until, { ...once, until })).toBe(7);
    });

    it('sets aside no more than there is, on both sides together, beside what was spent', async () => {
      const { left, right } = backend;
      const until = backend.now() + 10 * MINUTE;
      await left.spend('a', 100, until);
      const reserved = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          (index % 2 === 0 ? left : right).reserve('a', 300, 1000, `holder-${index}`, MINUTE),
        ),
      );
      expect(reserved.filter(Boolean)).toHaveLength(3);
      // Nothing of it is spent.
      expect(await right.spent('a')).toBe(100);
      const holder = `holder-${reserved.indexOf(true)}`;
      // Again is instead, not beside.
      expect(await right.reserve('a', 300, 1000, holder, MINUTE)).toBe(true);
      expect(await right.reserve('a', 1, 1000, 'late', MINUTE)).toBe(false);
      expect(await right.reserve('b', 1000, 1000, 'late', MINUTE)).toBe(true);
      // 100 of the 300 came: they are spent, and the rest stays aside.
      expect(await left.settle('a', 100, until, { holder, left: 200, leaseMs: MINUTE })).toBe(200);
      expect(await right.reserve('a', 1, 1000, 'late', MINUTE)).toBe(false);
      expect(await left.settle('a', 0, until, { holder, left: 0, leaseMs: MINUTE })).toBe(200);
      expect(await right.reserve('a', 201, 1000, 'late', MINUTE)).toBe(false);
      expect(await right.reserve('a', 200, 1000, 'late', MINUTE)).toBe(true);
    });

    it('gives back what a dead process had set aside, and keeps what a live one has', async () => {
      const { left, right } = backend;
      const until = backend.now() + 10 * MINUTE;
      expect(await left.reserve('a', 500, 1000, 'dead', MINUTE)).toBe(true);
      expect(await left.reserve('a', 500, 1000, 'alive', MINUTE)).toBe(true);
      backend.pass(MINUTE - 1);
      await left.settle('a', 0, until, { holder: 'alive', left: 500, leaseMs: MINUTE });
      expect(await right.reserve('a', 1, 1000, 'next', MINUTE)).toBe(false);
      backend.pass(1);
      expect(await right.reserve('a', 501, 1000, 'next', MINUTE)).toBe(false);
      expect(await right.reserve('a', 500, 1000, 'next', MINUTE)).toBe(true);
      expect(await right.spent('a')).toBe(0);
    });

    it('goes on as before when everything that ran out was removed', async () => {
      const { left, right } = backend;
      await left.take('b', limit, 10);
      await left.enter('gate', 1, 'one', 2 * MINUTE);
      await left.spend('a', 5, backend.now() + 3 * MINUTE);
      backend.pass(MINUTE + 1);
      // The first write after a minute tidies.
      expect(await left.take('b', limit, 10)).toMatchObject({ allowed: true });
      expect(await right.enter('gate', 1, 'two', MINUTE)).toBe(false);
      expect(await right.spent('a')).toBe(5);
      backend.pass(3 * MINUTE);
      expect(await left.enter('gate', 1, 'two', MINUTE)).toBe(true);
      expect(await right.spent('a')).toBe(0);
    });

    it('closes twice', async () => {
      await backend.left.close();
      await backend.left.close();
    });
  });
}
