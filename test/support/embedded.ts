// Tests of what only the embedded mode has. In fleet mode they are skipped, and the count of skipped tests says so.

import { it } from 'vitest';
import { isFleet } from './mode.ts';

/** `it`, but not in a fleet. `why` is shown there beside the name: `embeddedIt('reads the database file')('…', …)`. */
export function embeddedIt(why: string): (name: string, test: () => unknown, timeoutMs?: number) => void {
  return (name, test, timeoutMs) => {
    if (isFleet) it.skip(`${name} [not in a fleet: ${why}]`, test, timeoutMs);
    else it(name, test, timeoutMs);
  };
}
