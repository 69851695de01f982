// Runs scenarios as small as can be, with settings of the test's own, on media that are made once.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { createProgress } from '../../load-tests/progress.ts';
import type { Findings, Pace, Scenario } from '../../load-tests/scenario.ts';

type Run = <S extends Pace>(scenario: Scenario<S>, more?: Partial<S>) => Promise<Findings>;

/** For a test file as a whole: its servers are of one process with one image thread, so that they start fast. */
export function quickRuns(): Run {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mediamill-test-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const progress = createProgress({ write: () => {} });
  const { signal } = new AbortController();
  return (scenario, more) =>
    scenario.run(
      { ...scenario.quick, ...more },
      { folder, progress, signal, env: { PROCESSES: '1', IMAGE_THREADS: '1' } },
    );
}

/** Every figure was measured, whatever it is. */
export function expectFigures(findings: Findings, names: readonly string[]): void {
  expect(findings.figures.map(({ name }) => name)).toEqual(names);
  for (const { median, rounds } of findings.figures) {
    expect(rounds.every(Number.isFinite)).toBe(true);
    expect(median).toBeGreaterThan(0);
  }
  expect(findings.notes.length).toBeGreaterThan(0);
}
