// Several processes that share what is swept take turns.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Meters } from '../../src/contracts.ts';
import { openSqliteMeters } from '../../src/registers/sqlite-meters.ts';
import { sweepTurns } from '../../src/server/sweep-turns.ts';

const TIMES = { everyMs: 30_000, straysEveryMs: 900_000 };
let folder: string;
let meters: Meters;
let time = 1_000_000;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-turns-'));
  meters = await openSqliteMeters({ path: join(folder, 'meters.sqlite'), now: () => time });
});
afterEach(async () => {
  await meters.close();
  await rm(folder, { recursive: true, force: true });
});

it('one of them sweeps, until its time is over', async () => {
  const [one, two] = [sweepTurns(meters, TIMES), sweepTurns(meters, TIMES)];
  expect([await one.sweep(), await two.sweep(), await one.sweep()]).toEqual([true, false, false]);
  expect([await one.sweepStrays(), await two.sweepStrays()]).toEqual([true, false]);
  time += TIMES.everyMs;
  expect([await two.sweep(), await two.sweepStrays()]).toEqual([true, false]);
});

it('a sweep that lasts keeps its turn', async () => {
  const [one, two] = [sweepTurns(meters, TIMES), sweepTurns(meters, TIMES)];
  await one.sweep();
  for (let i = 0; i < 5; i++) {
    time += TIMES.everyMs - 1;
    await one.keep();
    expect(await two.sweep()).toBe(false);
  }
});

it('a later sweep does not keep the turn of an earlier one', async () => {
  const [one, two] = [sweepTurns(meters, TIMES), sweepTurns(meters, TIMES)];
  await one.sweep();
  await one.sweepStrays();
  time += TIMES.straysEveryMs - 1;
  await one.sweep();
  await one.keep();
  time += 1;
  expect(await two.sweepStrays()).toBe(true);
});
