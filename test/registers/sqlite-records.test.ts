import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';
import { recordsContract } from '../contracts/records.ts';
import { twoConnections } from './two-connections.ts';

recordsContract('SQLite', () => twoConnections(openSqliteRecords));
