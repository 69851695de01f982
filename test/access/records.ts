// Real records in a folder of their own, at a time that a test decides.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Meters, Records } from '../../src/contracts.ts';
import { openSqliteMeters } from '../../src/registers/sqlite-meters.ts';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';

export interface Registers extends AsyncDisposable {
  readonly records: Records;
  readonly meters: Meters;
  readonly now: () => number;
  pass(milliseconds: number): void;
}

/** Begins a second after noon, UTC. */
export async function openRegisters(): Promise<Registers> {
  const folder = await mkdtemp(join(tmpdir(), 'access-'));
  let time = Date.parse('2026-03-01T12:00:01Z');
  const now = (): number => time;
  const records = await openSqliteRecords({ path: join(folder, 'records.sqlite'), now });
  const meters = await openSqliteMeters({ path: join(folder, 'meters.sqlite'), now });
  return {
    records,
    meters,
    now,
    pass(milliseconds) {
      time += milliseconds;
    },
    async [Symbol.asyncDispose]() {
      await records.close();
      await meters.close();
      await rm(folder, { recursive: true });
    },
  };
}
