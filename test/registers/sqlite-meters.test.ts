import { openSqliteMeters } from '../../src/registers/sqlite-meters.ts';
import { metersContract } from '../contracts/meters.ts';
import { twoConnections } from './two-connections.ts';

metersContract('SQLite', () => twoConnections(openSqliteMeters));
