// Processes of another version, or none that make sense: the primary reads what it can and survives the rest.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createWatch } from '../../src/cluster/watch.ts';
import type { ReportMessage } from '../../src/cluster/messages.ts';
import { readConfig } from '../../src/config.ts';
import { createLogger } from '../../src/logger.ts';
import { LANES } from '../../src/jobs/job.ts';
import { counter } from '../../src/metrics/instruments.ts';
import { noLatencies } from '../../src/metrics/latencies.ts';
import { STEP_MS } from '../../src/metrics/machine.ts';
import { watchOwnMachine } from '../../src/metrics/own-machine.ts';
import { readSample, readSnapshots } from '../../src/metrics/told.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it('reads what it knows of a sample and takes zero for the rest', () => {
  const sample = readSample({
    requests: 7,
    images: 'many',
    rssBytes: Number.NaN,
    latencies: [1, 2],
    lanes: { image: { waiting: 2, running: 1, oldestSince: 5 }, new: 1 },
  });
  expect(sample).toMatchObject({ requests: 7, images: 0, rssBytes: 0, latencies: noLatencies() });
  expect(sample?.lanes?.image).toEqual({ waiting: 2, running: 1, oldestSince: 5 });
  expect(Object.keys(sample?.lanes ?? {})).toEqual([...LANES]);
  const none = { waiting: 0, running: 0, oldestSince: null };
  expect(sample?.lanes?.film).toEqual(none);
  const latencies = noLatencies().map((_, index) => index);
  expect(readSample({ latencies })?.latencies).toEqual(latencies);
  for (const nothing of [undefined, null, 5, 'text', []]) expect(readSample(nothing)).toBeUndefined();
});

it('leaves out what is no metric', () => {
  const good = counter('requests_total', 'Requests', []).snapshot();
  const odd = [
    null,
    {},
    { ...good, aggregator: 'median' },
    { ...good, type: 'summary' },
    { ...good, values: undefined },
  ];
  expect(readSnapshots([...odd, good])).toEqual([good]);
  const values = [{ value: null, labels: {} }, { value: 1 }, null, ...good.values];
  expect(readSnapshots([{ ...good, aggregator: 'average', values }])).toEqual([
    { ...good, aggregator: 'average' },
  ]);
  expect(readSnapshots({ 0: good })).toBeUndefined();
});

it('goes on stepping, whatever a process says of itself', async () => {
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  const said: unknown[] = [{ lanes: { image: 1 }, latencies: 'none' }, null, { requests: 5 }];
  const watch = createWatch({
    config: readConfig({}),
    log: createLogger(readConfig({ LOG_LEVEL: 'silent' })),
    phases: () => new Map([[1, 'serving']]),
    send: () => watch.heard(1, { type: 'report', about: 'sample', value: said.shift() } as ReportMessage),
  });
  await watch.start();
  for (let step = 1; step <= 3; step++) {
    await vi.advanceTimersByTimeAsync(STEP_MS);
    expect(watch.view().samples).toHaveLength(step);
  }
  // Nothing could be read the second time, so it is spread over both steps.
  expect(watch.view().samples.at(-1)?.requestsPerSecond).toBe(0.5);
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

it('tells of a look at the machine that failed, and looks again', async () => {
  const warn = vi.fn();
  const sample = vi
    .fn()
    .mockRejectedValueOnce(new Error('no figures'))
    .mockResolvedValue(readSample({ requests: 1 }));
  const machine = watchOwnMachine({ sample }, { warn }, { roles: ['web', 'work'], lanes: LANES });
  expect((await machine.view()).samples).toHaveLength(0);
  expect(warn).toHaveBeenCalledOnce();
  await vi.advanceTimersByTimeAsync(STEP_MS);
  expect((await machine.view()).samples).toHaveLength(1);
  machine.close();
});
