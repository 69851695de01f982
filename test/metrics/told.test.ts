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
    lacking: { store: 'S3 cannot be reached', queue: 5 },
  });
  expect(sample?.lacking).toEqual({ store: 'S3 cannot be reached' });
  expect(readSample({})?.lacking).toEqual({});
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

it('the admin port says what the processes lack', async () => {
  const store = { store: 'S3 cannot be reached' };
  const said: object[] = [{ ready: true }, { ready: false, lacking: store }, { ready: true, lacking: store }];
  const info = vi.fn();
  const watch = createWatch({
    config: readConfig({ ADMIN_PORT: '0', PROCESSES: '2' }),
    log: Object.assign(createLogger(readConfig({ LOG_LEVEL: 'silent' })), { info }),
    phases: () => new Map([1, 2].map((id) => [id, 'serving'])),
    send: (id) =>
      watch.heard(id, { type: 'report', about: 'sample', value: said.shift() ?? {} } as ReportMessage),
  });
  await watch.start();
  const [{ address }] = info.mock.lastCall as [{ address: string }];
  const asked = async (): Promise<unknown> => {
    await vi.advanceTimersByTimeAsync(STEP_MS);
    return (await fetch(`${address}/readyz`)).json();
  };
  const checks = { store: { ok: false, detail: 'S3 cannot be reached' } };
  expect(await asked()).toEqual({ status: 'ready', serving: 2, ready: 1, of: 2, checks });
  expect(await asked()).toEqual({ status: 'ready', serving: 2, ready: 2, of: 2, checks });
  expect(await asked()).toEqual({ status: 'ready', serving: 2, ready: 2, of: 2 });
});
