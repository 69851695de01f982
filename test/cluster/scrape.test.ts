// One text of many processes: counters never fall, whoever dies or is silent.

import { expect, test, vi } from 'vitest';
import { createScrape } from '../../src/cluster/scrape.ts';
import { counter, gauge } from '../../src/metrics/instruments.ts';
import type { MetricSnapshot } from '../../src/metrics/instruments.ts';

function told(requests: number): MetricSnapshot[] {
  const all = counter('requests_total', 'Requests', []);
  all.add(requests);
  return [all.snapshot(), gauge('open', 'Open', [], 'sum', () => [[1]]).snapshot()];
}

/** A cluster whose processes have counted so many requests; null: silent. */
function cluster() {
  const processes = new Map<number, number | null>();
  let asked = 0;
  const scrape = createScrape({
    async ask() {
      asked++;
      const answers = new Map<number, MetricSnapshot[]>();
      for (const [process, requests] of processes) {
        if (requests === null) continue;
        answers.set(process, told(requests));
        scrape.remember(process, told(requests));
      }
      return { asked: [...processes.keys()], answers };
    },
    own: (silent) => [gauge('silent', 'Silent', [], 'sum', () => [[silent]]).snapshot()],
    log: { warn: () => {} },
  });
  const read = async (): Promise<Record<string, number>> =>
    Object.fromEntries(
      (await scrape.text())
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .map((line) => line.split(' '))
        .map(([name, value]) => [name, Number(value)]),
    );
  return { processes, scrape, read, asked: () => asked };
}

test('adds up the processes', async () => {
  const { processes, read } = cluster();
  processes.set(1, 10).set(2, 5);
  expect(await read()).toEqual({ requests_total: 15, open: 2, silent: 0 });
});

test('of nobody is the primary alone', async () => {
  expect(await cluster().read()).toEqual({ silent: 0 });
});

test('what a silent process had counted stays, its gauges do not', async () => {
  const { processes, read } = cluster();
  processes.set(1, 10).set(2, 5);
  await read();
  processes.set(1, 11).set(2, null);
  expect(await read()).toEqual({ requests_total: 16, open: 1, silent: 1 });
  processes.set(2, 9);
  expect(await read()).toEqual({ requests_total: 20, open: 2, silent: 0 });
});

test('one that was silent from the start is only counted as such', async () => {
  const { processes, read } = cluster();
  processes.set(1, 3).set(2, null);
  expect(await read()).toEqual({ requests_total: 3, open: 1, silent: 1 });
});

test('what dead processes had counted stays for good', async () => {
  const { processes, scrape, read } = cluster();
  processes.set(1, 10).set(2, 5);
  await read();
  // Told at its end, unasked.
  scrape.remember(1, told(12));
  processes.delete(1);
  scrape.gone(1);
  expect(await read()).toEqual({ requests_total: 17, open: 1, silent: 0 });
  processes.delete(2);
  scrape.gone(2);
  processes.set(3, 1);
  expect(await read()).toEqual({ requests_total: 18, open: 1, silent: 0 });
  scrape.gone(2);
  expect(await read()).toEqual({ requests_total: 18, open: 1, silent: 0 });
});

test('one that ends between its answer and that of another counts once, now and later', async () => {
  const answers = new Map<number, MetricSnapshot[]>();
  const whole = Promise.withResolvers<void>();
  const scrape = createScrape({
    async ask() {
      await whole.promise;
      return { asked: [1, 2], answers };
    },
    own: () => [],
    log: { warn: () => {} },
  });
  const text = scrape.text();
  const answer = (process: number, requests: number): void => {
    answers.set(process, told(requests));
    scrape.remember(process, told(requests));
  };
  answer(1, 10);
  // What it did after it answered is in what it tells at its end.
  scrape.remember(1, told(11));
  scrape.gone(1);
  answer(2, 5);
  whole.resolve();
  expect(await text).toMatch(/^requests_total 16$/m);
  answers.delete(1);
  expect(await scrape.text()).toMatch(/^requests_total 16$/m);
});

test('what cannot be added up is told of, and costs neither the primary nor the scrape', async () => {
  const warn = vi.fn();
  const scrape = createScrape({
    ask: async () => ({ asked: [], answers: new Map() }),
    own: () => told(3),
    log: { warn },
  });
  scrape.remember(1, [{ ...told(1)[0]!, aggregator: 'median' as 'sum' }]);
  scrape.gone(1);
  scrape.remember(2, told(4));
  scrape.gone(2);
  expect(await scrape.text()).toMatch(/^requests_total 7$/m);
  expect(warn).toHaveBeenCalledOnce();
});

test('a hundred readers ask the processes once', async () => {
  const { processes, scrape, asked } = cluster();
  processes.set(1, 10);
  const texts = await Promise.all(Array.from({ length: 100 }, () => scrape.text()));
  expect(new Set(texts).size).toBe(1);
  expect(asked()).toBe(1);
});
