// The metrics of all processes as one text. What dead and silent processes have counted stays counted.

import type { Logger } from '../logger.ts';
import { lasting, merge, write } from '../metrics/exposition.ts';
import type { MetricSnapshot } from '../metrics/instruments.ts';

type Snapshots = readonly MetricSnapshot[];

export interface Scrape {
  /** Text for Prometheus. Never rejects because of a process. */
  text(): Promise<string>;
  /** What a process has told, asked for or not. */
  remember(process: number, told: Snapshots): void;
  gone(process: number): void;
}

/**
 * `ask` resolves with the processes that were asked and what came in time; `own` are the primary's metrics, told how many
 * were silent.
 */
export function createScrape(options: {
  readonly ask: () => Promise<{
    readonly asked: readonly number[];
    readonly answers: ReadonlyMap<number, Snapshots>;
  }>;
  readonly own: (silent: number) => Snapshots;
  readonly log: Pick<Logger, 'warn'>;
}): Scrape {
  const last = new Map<number, Snapshots>();
  let ofTheDead: Snapshots = [];
  let folding: Promise<void> = Promise.resolve();
  let scraping: Promise<string> | undefined;

  const scrape = async (): Promise<string> => {
    const { asked, answers } = await options.ask();
    const silent = asked.filter((process) => !answers.has(process));
    for (let folded; folded !== folding; ) {
      folded = folding;
      await folded;
    }
    // From here to `own` nothing waits. Who has gone since it answered is among the dead now, with what it told last.
    const told = [
      ...[...answers.keys()].map((process) => last.get(process) ?? []),
      ...silent.map((process) => lasting(last.get(process) ?? [])),
      ofTheDead,
      options.own(silent.length),
    ];
    return write(told);
  };

  return {
    text() {
      // However many ask at the same time, the processes are asked once.
      scraping ??= scrape().finally(() => {
        scraping = undefined;
      });
      return scraping;
    },
    remember(process, told) {
      last.set(process, told);
    },
    gone(process) {
      const left = lasting(last.get(process) ?? []);
      last.delete(process);
      if (left.length === 0) return;
      folding = folding.then(async () => {
        try {
          ofTheDead = await merge([ofTheDead, left]);
        } catch (error) {
          options.log.warn(
            { err: error, process },
            'the metrics of a process that has gone cannot be added up',
          );
        }
      });
    },
  };
}
