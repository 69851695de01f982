// Whose turn it is to sweep what machines or processes share: one at a time, by places that are free after their time.

import { randomUUID } from 'node:crypto';
import type { Meters } from '../contracts.ts';

interface SweepTurns {
  /** Whether this process is to sweep now; if not, another one does, or just did. */
  sweep(): Promise<boolean>;
  /** The same for files without a job or upload. */
  sweepStrays(): Promise<boolean>;
  /** The sweep that began last goes on. */
  keep(): Promise<void>;
}

/** Milliseconds between the sweeps of all processes together. */
export function sweepTurns(
  meters: Pick<Meters, 'enter' | 'renew'>,
  { everyMs, straysEveryMs }: { readonly everyMs: number; readonly straysEveryMs: number },
): SweepTurns {
  let held: { readonly gate: string; readonly holder: string; readonly leaseMs: number }[] = [];

  async function enter(gate: string, leaseMs: number): Promise<boolean> {
    const holder = randomUUID();
    if (!(await meters.enter(gate, 1, holder, leaseMs))) return false;
    held.push({ gate, holder, leaseMs });
    return true;
  }

  return {
    async sweep() {
      held = [];
      return enter('sweep', everyMs);
    },
    sweepStrays: () => enter('sweep-strays', straysEveryMs),
    async keep() {
      for (const { gate, holder, leaseMs } of held) await meters.renew(gate, holder, leaseMs);
    },
  };
}
