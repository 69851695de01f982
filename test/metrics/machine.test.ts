// The machine's last quarter of an hour: rates, percentiles, and processes that come, go and are silent.

import { describe, expect, it } from 'vitest';
import type { Lane } from '../../src/jobs/job.ts';
import { LANES } from '../../src/jobs/job.ts';
import { addLatency, noLatencies, percentile } from '../../src/metrics/latencies.ts';
import { createMachineHistory, STEP_MS } from '../../src/metrics/machine.ts';
import type { ProcessSample } from '../../src/metrics/machine.ts';

const lanesOf = (waiting: number, running: number) =>
  Object.fromEntries(LANES.map((lane) => [lane, { waiting, running, oldestSince: null }])) as Record<
    Lane,
    { waiting: number; running: number; oldestSince: null }
  >;

function sample(changes: Partial<ProcessSample> = {}): ProcessSample {
  return {
    requests: 0,
    latencies: noLatencies(),
    images: 0,
    bytesIn: 0,
    bytesOut: 0,
    threads: 2,
    threadsBusy: 1,
    imagesWaiting: 0,
    ffmpegRunning: 0,
    ffmpegSlots: 3,
    rssBytes: 1000,
    ready: true,
    lacking: {},
    lanes: lanesOf(0, 0),
    ...changes,
  };
}

function history() {
  let now = Date.parse('2026-01-01T00:00:00Z');
  let busy = 0;
  let total = 0;
  const machine = createMachineHistory({
    cores: 2,
    duties: { roles: ['web', 'work'], lanes: LANES },
    now: () => now,
    cpu: () => ({ busy, total }),
  });
  return {
    machine,
    /** Five seconds pass in which the cores were busy to this share. */
    pass: (share = 0, ms = STEP_MS): void => {
      now += ms;
      busy += share * ms;
      total += ms;
    },
    last: () => machine.view().samples.at(-1)!,
  };
}

describe('percentiles', () => {
  it.each([0.3, 1, 4.2, 18, 250, 3000, 59_000])('are right to a fifth at %d ms', (milliseconds) => {
    const counts = noLatencies();
    for (let i = 0; i < 100; i++) addLatency(counts, milliseconds);
    for (const share of [0.01, 0.5, 0.95]) {
      const found = percentile(counts, share)!;
      expect(found).toBeGreaterThan(milliseconds * 0.8);
      expect(found).toBeLessThan(milliseconds * 1.2);
    }
  });

  it('tell the many from the few', () => {
    const counts = noLatencies();
    for (let i = 0; i < 90; i++) addLatency(counts, 10);
    for (let i = 0; i < 10; i++) addLatency(counts, 1000);
    expect(percentile(counts, 0.5)!).toBeLessThan(12);
    expect(percentile(counts, 0.95)!).toBeGreaterThan(800);
  });

  it('of nothing are not there, and of anything are counted', () => {
    const counts = noLatencies();
    expect(percentile(counts, 0.5)).toBeNull();
    for (const odd of [0, -1, 1e12]) addLatency(counts, odd);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(3);
  });
});

describe('the history', () => {
  it('says what happened per second, all processes together', () => {
    const { machine, pass, last } = history();
    machine.add(
      new Map([
        [1, sample()],
        [2, sample()],
      ]),
    );
    pass(0.25);
    const latencies = noLatencies();
    addLatency(latencies, 20);
    machine.add(
      new Map([
        [1, sample({ requests: 10, images: 5, bytesIn: 500, bytesOut: 1000, latencies })],
        [2, sample({ requests: 40, imagesWaiting: 3, ffmpegRunning: 2, lanes: lanesOf(4, 1) })],
      ]),
      77,
    );
    expect(machine.view()).toMatchObject({ processes: 2, cores: 2, now: '2026-01-01T00:00:05.000Z' });
    expect(last()).toMatchObject({
      at: '2026-01-01T00:00:05.000Z',
      requestsPerSecond: 10,
      imagesPerSecond: 1,
      bytesInPerSecond: 100,
      bytesOutPerSecond: 200,
      threads: 4,
      threadsBusy: 2,
      ffmpegRunning: 2,
      ffmpegSlots: 3,
      rssBytes: 2077,
      cpu: 0.25,
    });
    expect(last().p50Ms).toBeCloseTo(20, -1);
    // Only of this step.
    pass();
    machine.add(new Map([[1, sample({ requests: 10, images: 5, bytesIn: 500, bytesOut: 1000, latencies })]]));
    expect(last()).toMatchObject({ requestsPerSecond: 0, p50Ms: null, p95Ms: null });
  });

  it('takes the queue from one process, since all see the same', () => {
    const { machine, last } = history();
    machine.add(
      new Map([
        [1, sample({ lanes: null, imagesWaiting: 1 })],
        [2, sample({ lanes: lanesOf(4, 1), imagesWaiting: 2 })],
        [3, sample({ lanes: lanesOf(4, 1) })],
      ]),
    );
    expect(last().queued).toMatchObject({ image: 7, video: 4, film: 4 });
    expect(last().running).toMatchObject({ image: 1, video: 1, film: 1 });
  });

  it('counts a new process from its start, and a dead one never backwards', () => {
    const { machine, pass, last } = history();
    machine.add(new Map([[1, sample({ requests: 1000 })]]));
    pass();
    machine.add(new Map([[2, sample({ requests: 50 })]]));
    expect(last().requestsPerSecond).toBe(10);
  });

  it('spreads what a silent process did over the time of its silence', () => {
    const { machine, pass, last } = history();
    machine.add(new Map([[1, sample()]]));
    for (let i = 0; i < 3; i++) {
      pass();
      machine.add(new Map());
      expect(last().requestsPerSecond).toBe(0);
    }
    pass();
    machine.add(new Map([[1, sample({ requests: 200 })]]));
    expect(last().requestsPerSecond).toBe(10);
  });

  it('keeps a quarter of an hour', () => {
    const { machine, pass } = history();
    for (let i = 0; i < 400; i++) {
      machine.add(new Map());
      pass();
    }
    const { samples } = machine.view();
    expect(samples).toHaveLength(180);
    expect(Date.parse(samples.at(-1)!.at) - Date.parse(samples[0]!.at)).toBe(179 * STEP_MS);
  });
});
