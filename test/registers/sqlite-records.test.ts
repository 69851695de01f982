import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';
import { recordsContract } from '../contracts/records.ts';

recordsContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'records-'));
  let time = Date.now();
  const options = { path: join(folder, 'records.sqlite'), now: () => time };
  const [left, right] = await Promise.all([openSqliteRecords(options), openSqliteRecords(options)]);
  return {
    left,
    right,
    now: () => time,
    pass(milliseconds) {
      time += milliseconds;
    },
    async close() {
      await left.close();
      await right.close();
      await rm(folder, { recursive: true });
    },
  };
});
