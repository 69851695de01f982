// Counters, histograms and gauges that cost a look into a map each, and are read as plain data.

/** One number with its labels, as prom-client writes it. */
export interface MetricValue {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  /** Where it is not that of the metric: `…_bucket`, `…_sum`, `…_count`. */
  readonly metricName?: string;
}

/** A metric as data: what crosses from the processes to the primary, and what prom-client adds up and writes. */
export interface MetricSnapshot {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** How the values of several processes become one. */
  readonly aggregator: 'sum' | 'max' | 'min';
  readonly values: readonly MetricValue[];
}

/** Anything that can be read for a scrape. */
export interface Instrument {
  snapshot(): MetricSnapshot;
}

type Labels = readonly string[];
/** One value for each label. */
type Values<L extends Labels> = { readonly [K in keyof L]: string };

/** One number of a counter, for whoever counts it so often that looking it up would be felt. */
export interface Tally {
  value: number;
}

export interface Counter<L extends Labels> extends Instrument {
  of(...labels: Values<L>): Tally;
  add(amount: number, ...labels: Values<L>): void;
  /** Of all labels together. */
  total(): number;
}

export interface Histogram<L extends Labels> extends Instrument {
  /** What observes values with these labels. */
  of(...labels: Values<L>): (value: number) => void;
  observe(value: number, ...labels: Values<L>): void;
}

/** Between label values; none of ours has it. */
const BETWEEN = '\n';

/**
 * Only grows. Its name ends with `_total`. `labels` must have few values each; those of `known` are told from the start,
 * since Prometheus does not see a first step from nothing to one.
 */
export function counter<const L extends Labels>(
  name: string,
  help: string,
  labels: L,
  known: readonly Values<L>[] = [],
): Counter<L> {
  const cells = new Map<string, Tally>();
  const cell = (key: string): Tally => {
    const there = cells.get(key);
    if (there !== undefined) return there;
    const fresh = { value: 0 };
    cells.set(key, fresh);
    return fresh;
  };
  for (const values of known) cell(values.join(BETWEEN));
  if (labels.length === 0) cell('');
  return {
    of: (...values) => cell(values.join(BETWEEN)),
    add(amount, ...values) {
      cell(values.join(BETWEEN)).value += amount;
    },
    total() {
      let sum = 0;
      for (const { value } of cells.values()) sum += value;
      return sum;
    },
    snapshot: () => ({
      name,
      help,
      type: 'counter',
      aggregator: 'sum',
      values: Array.from(cells, ([key, { value }]) => ({ value, labels: named(labels, key) })),
    }),
  };
}

interface Cell {
  /** Not cumulative; one more than there are bounds, for what is above all of them. */
  readonly counts: number[];
  sum: number;
}

/** How values spread. `bounds` are the upper ones, ascending, in the base unit (seconds, bytes). */
export function histogram<const L extends Labels>(
  name: string,
  help: string,
  labels: L,
  bounds: readonly number[],
): Histogram<L> {
  const cells = new Map<string, Cell>();
  const cellOf = (key: string): Cell => {
    const there = cells.get(key);
    if (there !== undefined) return there;
    const fresh = { counts: Array.from({ length: bounds.length + 1 }, () => 0), sum: 0 };
    cells.set(key, fresh);
    return fresh;
  };
  const put = (cell: Cell, value: number): void => {
    let index = 0;
    while (index < bounds.length && value > bounds[index]!) index++;
    cell.counts[index]! += 1;
    cell.sum += value;
  };
  return {
    of(...values) {
      const cell = cellOf(values.join(BETWEEN));
      return (value) => put(cell, value);
    },
    observe: (value, ...values) => put(cellOf(values.join(BETWEEN)), value),
    snapshot: () => ({
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      values: Array.from(cells).flatMap(([key, cell]) =>
        histogramValues(name, named(labels, key), cell, bounds),
      ),
    }),
  };
}

/** As Prometheus has it: each bucket counts those below it too. */
function histogramValues(
  name: string,
  labels: Record<string, string>,
  { counts, sum }: Cell,
  bounds: readonly number[],
): MetricValue[] {
  let count = 0;
  const buckets = counts.map((here, index): MetricValue => {
    count += here;
    return { metricName: `${name}_bucket`, labels: { ...labels, le: bounds[index] ?? '+Inf' }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}

/**
 * What is asked for when it is read. Of what every process sees alike (the queue) the `aggregator` is `max`, so that it is
 * not told once for each of them.
 */
export function gauge<const L extends Labels>(
  name: string,
  help: string,
  labels: L,
  aggregator: MetricSnapshot['aggregator'],
  read: () => Iterable<readonly [value: number, ...labels: Values<L>]>,
): Instrument {
  return {
    snapshot: () => ({
      name,
      help,
      type: 'gauge',
      aggregator,
      values: Array.from(read(), ([value, ...values]) => ({
        value,
        labels: named(labels, values.join(BETWEEN)),
      })),
    }),
  };
}

function named(names: Labels, key: string): Record<string, string> {
  const values = key.split(BETWEEN);
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));
}
