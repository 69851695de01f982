// A few of the fault rounds; `npm run faults` runs them all.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { HAS_PROC } from '../support/processes.ts';
import { prepareLoad } from './load.ts';
import { chunkRound, encodedAgain } from './chunks.ts';
import { runRound } from './round.ts';
import { uploadRound } from './uploads.ts';

describe.skipIf(!HAS_PROC)('after kill -9 of processes, FFmpegs and the primary', () => {
  beforeAll(prepareLoad, 60_000);
  it('every job answered with 202 ends whole', async () => {
    const { signal } = new AbortController();
    // Every kind of job once, and with this seed every kind of kill.
    const report = await runRound({ seed: 16, jobs: 5, kills: 3, loadMs: 2000, signal });
    expect(report.jobs).toBe(5);
    expect(report.violations).toEqual([]);
  }, 120_000);
});

// Most of a round waits for those that are paused, or for who takes over: these and the film at the same time.
describe.skipIf(!HAS_PROC).concurrent('resumable uploads', () => {
  it.each([1, 3])(
    'are never mixed by two writers, kills and pauses, seed %i',
    async (seed) => {
      const { signal } = new AbortController();
      const report = await uploadRound({ seed, uploads: 2, faults: 2, signal });
      expect(report.violations).toEqual([]);
      expect(report.jobs).toBe(2);
    },
    120_000,
  );
});

describe.skipIf(!HAS_PROC || availableParallelism() < 2).concurrent('a film in chunks', () => {
  it('is killed again and again, and no finished chunk is encoded twice', async () => {
    const { signal } = new AbortController();
    const report = await chunkRound({ seed: 3, kills: 2, seconds: 20, signal });
    // How soon orphans are gone is what the rounds above look at.
    expect(report.violations.filter((each) => !/only after \d+ ms$/.test(each))).toEqual([]);
    expect(report.jobs).toBe(1);
  }, 120_000);

  it('would be noticed to encode one twice', async () => {
    const notes = await mkdtemp(join(tmpdir(), 'mediamill-notes-'));
    try {
      await mkdir(join(notes, 'starts'));
      await writeFile(join(notes, 'starts', '100-1'), 'file:/somewhere/chunks-0/0.mp4');
      await writeFile(join(notes, 'starts', '300-2'), 'file:/somewhere/chunks-0/1.mp4');
      const kept = new Map([
        [0, 200n],
        [1, 200n],
      ]);
      expect(await encodedAgain(notes, kept)).toEqual(['chunk 1 was finished, and encoded again']);
    } finally {
      await rm(notes, { recursive: true });
    }
  });
});
