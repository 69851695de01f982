import { openRedisMeters } from '../../src/registers/redis-meters.ts';
import { metersContract } from '../contracts/meters.ts';
import { twoMachines } from './two-machines.ts';

metersContract('Redis', twoMachines(openRedisMeters));
