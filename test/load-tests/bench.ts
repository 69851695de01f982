// Runs a scenario as small as can be, with settings of the test's own.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { createProgress } from '../../load-tests/progress.ts';
import type { Findings, Pace, Scenario } from '../../load-tests/scenario.ts';

const progress = createProgress({ write: () => {} });

export async function runQuick<S extends Pace>(
  scenario: Scenario<S>,
  more: Partial<S> = {},
): Promise<Findings> {
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-test-'));
  try {
    const context = { folder, progress, signal: new AbortController().signal };
    return await scenario.run({ ...scenario.quick, ...more }, context);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Every figure was measured, whatever it is, and everything can be drawn. */
export function expectFigures(findings: Findings, names: readonly string[]): void {
  expect(findings.figures.map(({ name }) => name)).toEqual(names);
  for (const { median, rounds } of findings.figures) {
    expect(rounds.every(Number.isFinite)).toBe(true);
    expect(median).toBeGreaterThan(0);
  }
  expect(findings.notes.length).toBeGreaterThan(0);
}
