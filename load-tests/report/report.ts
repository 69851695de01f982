// The report as data: written as JSON; the page and the README's table are drawn from it alone.

import type { Machine } from '../machine.ts';
import type { Findings } from '../scenario.ts';

export interface Report {
  /** ISO 8601, when the run began. */
  readonly date: string;
  /** The command, for doing it again. */
  readonly command: string;
  readonly quick: boolean;
  readonly seconds: number;
  readonly machine: Machine;
  readonly scenarios: readonly ScenarioReport[];
}

export interface ScenarioReport extends Findings {
  readonly name: string;
  readonly title: string;
  readonly seconds: number;
  readonly settings: object;
}
