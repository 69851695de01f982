// A few of the fault rounds; `npm run faults` runs them all.

import { beforeAll, describe, expect, it } from 'vitest';
import { HAS_PROC } from '../support/processes.ts';
import { prepareLoad } from './load.ts';
import { runRound } from './round.ts';

describe.skipIf(!HAS_PROC)('after kill -9 of processes, FFmpegs and the primary', () => {
  beforeAll(prepareLoad, 60_000);
  it.each([1, 2])(
    'every job answered with 202 ends whole, seed %i',
    async (seed) => {
      const { signal } = new AbortController();
      const report = await runRound({ seed, jobs: 6, kills: 4, signal });
      expect(report.jobs).toBe(6);
      expect(report.violations).toEqual([]);
    },
    120_000,
  );
});
