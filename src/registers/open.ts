// Which records and meters the settings mean: said once, for the server and for its command lines.

import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { Meters, Records } from '../contracts.ts';
import { openSqliteMeters } from './sqlite-meters.ts';
import { openSqliteRecords } from './sqlite-records.ts';

export function openRecords({ DATA_DIR }: Pick<Config, 'DATA_DIR'>): Promise<Records> {
  return openSqliteRecords({ path: join(DATA_DIR, 'records.sqlite') });
}

/** What they hold may be lost: counts begin anew. */
export function openMeters({ DATA_DIR }: Pick<Config, 'DATA_DIR'>): Promise<Meters> {
  return openSqliteMeters({ path: join(DATA_DIR, 'meters.sqlite') });
}
