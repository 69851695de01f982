// What prom-client knows of a Node process: memory, CPU, event loop, garbage collection, open files.

import { collectDefaultMetrics, Registry } from 'prom-client';
import type { MetricSnapshot } from './instruments.ts';

/** Begins to watch; returns what reads it. Costs a wake-up every 20 ms, so it is begun only where somebody scrapes. */
export function watchRuntime(): () => Promise<readonly MetricSnapshot[]> {
  const register = new Registry();
  collectDefaultMetrics({ register, prefix: 'mediamill_', eventLoopMonitoringPrecision: 20 });
  return async () => (await register.getMetricsAsJSON()) as unknown as readonly MetricSnapshot[];
}
