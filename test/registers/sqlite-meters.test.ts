import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteMeters } from '../../src/registers/sqlite-meters.ts';
import { metersContract } from '../contracts/meters.ts';

metersContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'meters-'));
  let time = Date.now();
  const options = { path: join(folder, 'meters.sqlite'), now: () => time };
  const [left, right] = await Promise.all([openSqliteMeters(options), openSqliteMeters(options)]);
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
