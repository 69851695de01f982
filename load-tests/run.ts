// Runs scenarios one after the other, and makes the report of what they found.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NAMES } from './catalog.ts';
import { withUnit } from './format.ts';
import { describeMachine } from './machine.ts';
import type { LoadOptions } from './options.ts';
import type { Progress } from './progress.ts';
import type { Report, ScenarioReport } from './report/report.ts';
import { isMet } from './scenario.ts';
import type { Figure } from './scenario.ts';

/** Rejects with CheckFailed at the first wrong answer: there is no report then. */
export async function runScenarios(
  { name, quick, overrides, env }: LoadOptions,
  command: string,
  { progress, signal }: { readonly progress: Progress; readonly signal: AbortSignal },
): Promise<Report> {
  const date = new Date().toISOString();
  const begun = performance.now();
  const machine = await describeMachine();
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-load-'));
  try {
    const scenarios: ScenarioReport[] = [];
    for (const scenario of NAMES[name] ?? []) {
      const started = performance.now();
      progress.begin(scenario.name);
      const settings = { ...(quick ? scenario.quick : scenario.full), ...overrides };
      const findings = await scenario.run(settings, { folder, signal, progress, env });
      for (const figure of findings.figures) progress.say(figureLine(figure));
      const seconds = (performance.now() - started) / 1000;
      scenarios.push({ name: scenario.name, title: scenario.title, seconds, settings, ...findings });
    }
    return { date, command, quick, seconds: (performance.now() - begun) / 1000, machine, scenarios };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** E.g. `✓ image CPU cost 1.07 (1.05–1.11), target ≤ 1.10: 18.2 ms … against 17.0 ms …`. */
function figureLine(each: Figure): string {
  const { name, unit, target, median, min, max, measured, floor } = each;
  const met = isMet(each);
  const goal = target === null ? '' : `, target ${target.op} ${withUnit(target.value, unit)}`;
  const sign = met === undefined ? '·' : met ? '✓' : '✗';
  return `${sign} ${name} ${withUnit(median, unit)} (${withUnit(min, '')}–${withUnit(max, '')})${goal}: ${measured}, against ${floor}`;
}
