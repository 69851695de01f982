// One round of a small fleet; `npm run faults -- --only fleet --rounds 50` runs them in full size.

import { beforeAll, describe, expect, it } from 'vitest';
import { HAS_PROC } from '../support/processes.ts';
import { fleetRound } from './fleet.ts';
import { prepareLoad } from './load.ts';

describe.skipIf(!HAS_PROC)('a fleet whose hosts, links, Redis and S3 fail', () => {
  beforeAll(prepareLoad, 60_000);
  it('loses nothing and does nothing twice', async () => {
    const { signal } = new AbortController();
    const report = await fleetRound({
      seed: 1,
      hosts: ['web,work', 'web', 'work'],
      jobs: 6,
      uploads: 1,
      faults: 4,
      long: false,
      signal,
    });
    expect(report.violations).toEqual([]);
    expect(report.jobs).toBe(6);
  }, 120_000);
});
