// Metrics of several processes as one text, in the format that Prometheus reads.

import { AggregatorRegistry } from 'prom-client';
import type { MetricSnapshot } from './instruments.ts';

/** The Content-Type of `write`. */
export const EXPOSITION_TYPE = AggregatorRegistry.PROMETHEUS_CONTENT_TYPE;

type Snapshots = readonly MetricSnapshot[];

/** Added up, each metric as its aggregator says. */
export async function merge(processes: readonly Snapshots[]): Promise<Snapshots> {
  return (await aggregated(processes).getMetricsAsJSON()) as unknown as Snapshots;
}

/** Text format 0.0.4. */
export async function write(processes: readonly Snapshots[]): Promise<string> {
  return aggregated(processes).metrics();
}

/** What must not fall when a process ends or is silent: a counter that falls looks like a restart, and its rate jumps. */
export function lasting(snapshots: Snapshots): Snapshots {
  return snapshots.filter(({ type }) => type !== 'gauge');
}

function aggregated(processes: readonly Snapshots[]): ReturnType<typeof AggregatorRegistry.aggregate> {
  return AggregatorRegistry.aggregate(processes as unknown as object[]);
}
