// The machine over the last quarter of an hour, in steps of five seconds: what GET /v1/machine answers.

import type { LaneStanding } from '../contracts.ts';
import type { Duties } from '../jobs/duties.ts';
import { LANES } from '../jobs/job.ts';
import type { Lane } from '../jobs/job.ts';
import { percentile } from './latencies.ts';

export const STEP_MS = 5000;
const STEPS = 180;

/** What one process knows. Numbers of things count from its start on. */
export interface ProcessSample {
  readonly requests: number;
  readonly latencies: readonly number[];
  readonly images: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly threads: number;
  readonly threadsBusy: number;
  /** Images that wait for a thread. */
  readonly imagesWaiting: number;
  readonly ffmpegRunning: number;
  readonly ffmpegSlots: number;
  readonly rssBytes: number;
  /** It can do its work: see metrics/readiness.ts. */
  readonly ready: boolean;
  /** What it lacks, by the name of the check: why. */
  readonly lacking: Readonly<Record<string, string>>;
  /** Of the whole machine, or of the whole fleet. Null where it could not be read. */
  readonly lanes: Readonly<Record<Lane, LaneStanding>> | null;
}

/** One step, all processes added up. */
export interface MachineSample {
  /** ISO 8601: when the step ended. */
  readonly at: string;
  readonly requestsPerSecond: number;
  /** Of the requests that did not ask to wait; null where there were none. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly imagesPerSecond: number;
  readonly bytesInPerSecond: number;
  readonly bytesOutPerSecond: number;
  /** Jobs of each lane, of all machines together; in `image` also the images of this machine's requests. */
  readonly queued: Readonly<Record<Lane, number>>;
  readonly running: Readonly<Record<Lane, number>>;
  readonly threadsBusy: number;
  readonly threads: number;
  /** FFmpegs and ffprobes. */
  readonly ffmpegRunning: number;
  /** Jobs with videos that may run at once. */
  readonly ffmpegSlots: number;
  /** Of the server's own processes, encoders not counted. */
  readonly rssBytes: number;
  /** Busy share of the machine's cores, 0–1, whoever keeps them busy. */
  readonly cpu: number;
}

export interface MachineView extends Duties {
  /** ISO 8601. */
  readonly now: string;
  /** That serve. */
  readonly processes: number;
  readonly cores: number;
  /** Oldest first. */
  readonly samples: readonly MachineSample[];
}

/** CPU time of all cores since the machine started, in any unit. */
export interface CpuTime {
  readonly busy: number;
  readonly total: number;
}

export interface MachineHistory {
  /** One step: what each process says, by the name of its life. */
  add(samples: ReadonlyMap<string | number, ProcessSample>, ownRssBytes?: number): void;
  view(): MachineView;
}

interface Earlier {
  readonly at: number;
  readonly sample: ProcessSample;
}

/** `now` in milliseconds since 1970, `cpu` as `cpuTime` of cpu-time.ts reads it. */
export function createMachineHistory(options: {
  readonly cores: number;
  readonly duties: Duties;
  readonly now: () => number;
  readonly cpu: () => CpuTime;
}): MachineHistory {
  const { cores, duties, now, cpu } = options;
  const steps: MachineSample[] = [];
  let earlier = new Map<string | number, Earlier>();
  let cpuBefore = cpu();
  let processes = 0;

  return {
    add(samples, ownRssBytes = 0) {
      const at = now();
      const spent = cpu();
      processes = samples.size;
      const before = earlier;
      // One that said nothing this time is asked again: what it did meanwhile is told over the whole time.
      earlier = new Map([...before].filter(([, { at: seen }]) => at - seen < STEPS * STEP_MS));
      const rates = { requests: 0, images: 0, bytesIn: 0, bytesOut: 0 };
      let latencies: number[] = [];
      for (const [life, sample] of samples) {
        const last = before.get(life);
        earlier.set(life, { at, sample });
        // One that was never heard of began within this step.
        const seconds = Math.max(at - (last?.at ?? at - STEP_MS), 1) / 1000;
        for (const name of ['requests', 'images', 'bytesIn', 'bytesOut'] as const) {
          rates[name] += Math.max(0, sample[name] - (last?.sample[name] ?? 0)) / seconds;
        }
        latencies = sample.latencies.map(
          (count, index) => count - (last?.sample.latencies[index] ?? 0) + (latencies[index] ?? 0),
        );
      }
      const busy = spent.busy - cpuBefore.busy;
      const total = spent.total - cpuBefore.total;
      cpuBefore = spent;
      const told = [...samples.values()];
      const sum = (of: (sample: ProcessSample) => number): number =>
        told.reduce((all, sample) => all + of(sample), 0);
      const lanes = told.find((sample) => sample.lanes !== null)?.lanes ?? null;
      const perLane = (of: (lane: LaneStanding) => number): Record<Lane, number> =>
        Object.fromEntries(LANES.map((lane) => [lane, lanes === null ? 0 : of(lanes[lane])])) as Record<
          Lane,
          number
        >;
      const queued = perLane(({ waiting }) => waiting);
      steps.push({
        at: new Date(at).toISOString(),
        requestsPerSecond: rounded(rates.requests),
        p50Ms: roundedOrNull(percentile(latencies, 0.5)),
        p95Ms: roundedOrNull(percentile(latencies, 0.95)),
        imagesPerSecond: rounded(rates.images),
        bytesInPerSecond: Math.round(rates.bytesIn),
        bytesOutPerSecond: Math.round(rates.bytesOut),
        queued: { ...queued, image: queued.image + sum(({ imagesWaiting }) => imagesWaiting) },
        running: perLane(({ running }) => running),
        threadsBusy: sum(({ threadsBusy }) => threadsBusy),
        threads: sum(({ threads }) => threads),
        ffmpegRunning: sum(({ ffmpegRunning }) => ffmpegRunning),
        ffmpegSlots: Math.max(0, ...told.map(({ ffmpegSlots }) => ffmpegSlots)),
        rssBytes: ownRssBytes + sum(({ rssBytes }) => rssBytes),
        cpu: total > 0 ? rounded(Math.min(1, Math.max(0, busy / total))) : 0,
      });
      if (steps.length > STEPS) steps.shift();
    },
    view: () => ({ now: new Date(now()).toISOString(), processes, cores, ...duties, samples: [...steps] }),
  };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function roundedOrNull(value: number | null): number | null {
  return value === null ? null : rounded(value);
}
