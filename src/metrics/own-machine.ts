// A process's own look at the machine, and the way to the primary's, who knows all processes.

import { availableParallelism } from 'node:os';
import type { Duties } from '../jobs/duties.ts';
import type { Logger } from '../logger.ts';
import { cpuTime } from './cpu-time.ts';
import { createMachineHistory, STEP_MS } from './machine.ts';
import type { MachineView } from './machine.ts';
import type { Report } from './report.ts';

export interface OwnMachine {
  /** The primary's view; this process's own where there is no primary, or it does not answer. */
  view(): Promise<MachineView>;
  close(): void;
}

/** `askPrimary` resolves with undefined where it had no answer in time. */
export function watchOwnMachine(
  report: Pick<Report, 'sample'>,
  log: Pick<Logger, 'warn'>,
  duties: Duties,
  askPrimary: () => Promise<MachineView | undefined> = async () => undefined,
): OwnMachine {
  const history = createMachineHistory({
    cores: availableParallelism(),
    duties,
    now: Date.now,
    cpu: cpuTime,
  });
  /** Never rejects: a figure must not cost the process. */
  const step = async (): Promise<void> => {
    try {
      history.add(new Map([['own', await report.sample()]]));
    } catch (error) {
      log.warn({ err: error }, 'the machine could not be looked at');
    }
  };
  // The first begins what is counted, and already says how things stand.
  const first = step();
  const timer = setInterval(() => void step(), STEP_MS);
  return {
    async view() {
      const whole = await askPrimary();
      // A primary outlives reloads: an older one does not say what the machine does.
      if (whole !== undefined) return { ...duties, ...whole };
      await first;
      return history.view();
    },
    close: () => clearInterval(timer),
  };
}
