// What the primary knows of the processes beyond life and death: it asks them every five seconds, and for every scrape.

import { availableParallelism } from 'node:os';
import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';
import { dutiesOf } from '../jobs/duties.ts';
import { cpuTime } from '../metrics/cpu-time.ts';
import { counter, gauge } from '../metrics/instruments.ts';
import type { MetricSnapshot } from '../metrics/instruments.ts';
import { createMachineHistory, STEP_MS } from '../metrics/machine.ts';
import type { MachineView, ProcessSample } from '../metrics/machine.ts';
import { readSample, readSnapshots } from '../metrics/told.ts';
import { createAsking } from './asking.ts';
import type { ReportMessage, ToProcess } from './messages.ts';
import type { Scrape } from './scrape.ts';
import type { ProcessPhase } from './supervision.ts';

export interface WatchOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly send: (process: number, message: ToProcess) => void;
  /** Of every process that is there. */
  readonly phases: () => ReadonlyMap<number, ProcessPhase>;
}

export interface Watch {
  /** Begins to ask; opens the admin port if there is to be one. Rejects where that cannot be opened. */
  start(): Promise<void>;
  heard(process: number, message: ReportMessage): void;
  forked(): void;
  killed(): void;
  overran(): void;
  exited(process: number, code: number | null, signal: string | null): void;
  view(): MachineView;
}

/** A scrape must not take longer than its reader waits, nor a process that is only busy be called silent. */
const WAIT_MS = 1000;

export function createWatch({ config, log, send, phases }: WatchOptions): Watch {
  const forks = counter('mediamill_process_forks_total', 'Processes that were started', []);
  const exits = counter(
    'mediamill_process_exits_total',
    'Processes that ended: "left" when told to, "crashed" by an error, "killed" by a signal',
    ['cause'],
    [['left'], ['crashed'], ['killed']],
  );
  const kills = counter('mediamill_process_kills_total', 'Processes that the primary had to kill', []);
  const overruns = counter(
    'mediamill_process_overruns_total',
    'Processes lost to an image past its deadline',
    [],
  );

  const askMetrics = createAsking<readonly MetricSnapshot[]>({
    send: (process) => send(process, { type: 'report', about: 'metrics' }),
    waitMs: WAIT_MS,
  });
  const askSample = createAsking<ProcessSample>({
    send: (process) => send(process, { type: 'report', about: 'sample' }),
    waitMs: WAIT_MS,
  });
  const history = createMachineHistory({
    cores: availableParallelism(),
    duties: dutiesOf(config),
    now: Date.now,
    cpu: cpuTime,
  });
  let scrape: Scrape | undefined;
  /** At the last look. */
  let silent = new Set<number>();
  /** Those that cannot do their work, as they said themselves at the last look. */
  let unready = new Set<number>();
  /** What they lack, by process. */
  let lacking = new Map<number, ProcessSample['lacking']>();

  /** Those that can answer. */
  const asked = (): number[] =>
    Array.from(phases()).flatMap(([process, phase]) => (phase === 'starting' ? [] : [process]));

  /** Never rejects: a figure must not cost the primary. */
  const step = async (): Promise<void> => {
    try {
      const processes = asked();
      const samples = await askSample.ask(processes);
      silent = new Set(processes.filter((process) => !samples.has(process)));
      unready = new Set(processes.filter((process) => samples.get(process)?.ready === false));
      lacking = new Map(Array.from(samples, ([process, sample]) => [process, sample.lacking]));
      history.add(samples, process.memoryUsage.rss());
    } catch (error) {
      log.warn({ err: error }, 'the machine could not be looked at');
    }
  };

  const own = (silentNow: number): MetricSnapshot[] => {
    const states = { starting: 0, serving: 0, draining: 0, silent: silentNow };
    for (const phase of phases().values()) states[phase === 'doomed' ? 'draining' : phase]++;
    // A silent one counts once; that it was to serve is what matters of it.
    states.serving = Math.max(0, states.serving - silentNow);
    return [
      forks,
      exits,
      kills,
      overruns,
      gauge(
        'mediamill_processes',
        'Processes; "silent" ones did not answer within a second and are left out of all gauges',
        ['state'],
        'sum',
        () => Object.entries(states).map(([state, count]) => [count, state] as const),
      ),
      gauge('mediamill_primary_resident_memory_bytes', 'Memory of the primary process', [], 'sum', () => [
        [process.memoryUsage.rss()],
      ]),
    ].map((instrument) => instrument.snapshot());
  };

  const openAdmin = async (port: number): Promise<void> => {
    // Loaded only where it is used: the primary stays small.
    const [{ startAdmin }, { createScrape }] = await Promise.all([
      import('./admin.ts'),
      import('./scrape.ts'),
    ]);
    const scraping = createScrape({
      async ask() {
        const processes = asked();
        const answers = await askMetrics.ask(processes);
        // Who has ended meanwhile is not silent.
        return { asked: processes.filter((process) => phases().has(process)), answers };
      },
      own,
      log,
    });
    scrape = scraping;
    const { address } = await startAdmin({
      host: config.ADMIN_HOST,
      port,
      log,
      metrics: () => scraping.text(),
      serving() {
        const serving = Array.from(phases()).filter(([id, phase]) => phase === 'serving' && !silent.has(id));
        return {
          serving: serving.length,
          ready: serving.filter(([id]) => !unready.has(id)).length,
          of: config.PROCESSES,
          // Mostly all lack the same; of several reasons one is told.
          lacking: Object.assign({}, ...serving.map(([id]) => lacking.get(id) ?? {})) as Record<
            string,
            string
          >,
        };
      },
    });
    log.info({ address }, 'metrics');
  };

  return {
    async start() {
      setInterval(() => void step(), STEP_MS);
      if (config.ADMIN_PORT !== undefined) await openAdmin(config.ADMIN_PORT);
    },
    heard(process, message) {
      // What it had told was added to that of the dead already.
      if (!phases().has(process)) return undefined;
      if (message.about === 'sample') return askSample.answered(process, readSample(message.value));
      const told = readSnapshots(message.value);
      if (told !== undefined) scrape?.remember(process, told);
      return askMetrics.answered(process, told);
    },
    forked: () => forks.add(1),
    killed: () => kills.add(1),
    overran: () => overruns.add(1),
    exited(process, code, signal) {
      exits.add(1, signal !== null ? 'killed' : code === 0 ? 'left' : 'crashed');
      askMetrics.gone(process);
      askSample.gone(process);
      scrape?.gone(process);
    },
    view: () => history.view(),
  };
}
