// The CPU time of the whole machine, as the system tells it.

import { cpus } from 'node:os';
import type { CpuTime } from './machine.ts';

/** In milliseconds, all cores together. In a container too it is that of the host. */
export function cpuTime(): CpuTime {
  let busy = 0;
  let total = 0;
  for (const { times } of cpus()) {
    const all = times.user + times.nice + times.sys + times.idle + times.irq;
    total += all;
    busy += all - times.idle;
  }
  return { busy, total };
}
