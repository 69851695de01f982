// The report: one page that needs nothing else, and the README's table.

import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { digits } from '../../load-tests/format.ts';
import { byRound, drawChart, niceTicks } from '../../load-tests/report/chart.ts';
import { drawPage } from '../../load-tests/report/page.ts';
import { BEGIN, END, withResults } from '../../load-tests/report/readme.ts';
import type { Report } from '../../load-tests/report/report.ts';
import { figure } from '../../load-tests/scenario.ts';

const report: Report = {
  date: '2026-11-22T15:00:00.000Z',
  command: 'npm run load -- all',
  quick: false,
  seconds: 12,
  machine: {
    cores: 2,
    cpu: 'A <fast> one',
    memoryGiB: 24,
    system: 'Linux 6 x64',
    node: 'v26.10.0',
    ffmpeg: '5.1.9',
    sharp: '0.35.5',
    libvips: '8.18',
    commit: 'abc1234',
  },
  scenarios: [
    {
      name: 'image',
      title: 'Images',
      seconds: 10,
      settings: { rounds: 3 },
      figures: [
        figure('cost', [1.2, 1.05, 1.3], {
          target: { op: '≤', value: 1.1 },
          measured: '20 ms',
          floor: '17 ms',
        }),
        figure('memory', [80], { unit: 'MB', target: { op: '≤', value: 96 }, measured: 'a', floor: 'b' }),
        figure('also', [3], { measured: 'c', floor: 'd' }),
      ],
      charts: [byRound('Cost <of> one', 'ms', { loop: [17, 18], server: [20, 21] })],
      notes: ['A note & more'],
    },
  ],
};

describe('the page', () => {
  const page = drawPage(report);
  it('asks nobody for anything', () => {
    expect(page).not.toMatch(/\b(?:src|href|action|data)\s*=|url\(|@import|<script|https?:/i);
    expect(page).toContain('prefers-color-scheme: dark');
  });

  it('shows each figure, whether it met its target, and its rounds', () => {
    expect(page).toContain('<strong>1.20</strong> (1.05 – 1.30)');
    expect(page.match(/✗ missed/g)).toHaveLength(1);
    expect(page.match(/✓ met/g)).toHaveLength(1);
    expect(page).toContain('80.0 MB');
    expect(page).toContain('round by round: 1.20, 1.05, 1.30');
    expect(page.match(/class="limit"/g)).toHaveLength(2);
    expect(page).toContain('target ≤ 1.10</text>');
  });

  it('escapes what it shows', () => {
    expect(page).toContain('A &#60;fast&#62; one');
    expect(page).toContain('Cost &#60;of&#62; one');
    expect(page).toContain('A note &#38; more');
    expect(page).not.toContain('<fast>');
  });

  it('warns of quick figures', () => {
    expect(page).not.toContain('mean nothing');
    expect(drawPage({ ...report, quick: true })).toContain('mean nothing');
  });
});

describe('a chart', () => {
  it('has a line and a legend for each series, and all points inside', () => {
    const svg = drawChart(byRound('t', 'ms', { loop: [17, 18, 16], server: [20, 21, 25] }));
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg.match(/<circle/g)).toHaveLength(6);
    expect(svg.match(/<li /g)).toHaveLength(2);
    for (const [, x, y] of svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)) {
      expect(Number(x)).toBeGreaterThanOrEqual(64);
      expect(Number(x)).toBeLessThanOrEqual(624);
      expect(Number(y)).toBeGreaterThanOrEqual(12);
      expect(Number(y)).toBeLessThanOrEqual(216);
    }
  });

  it('draws higher values higher', () => {
    const svg = drawChart(byRound('t', 'ms', { a: [1, 2, 4] }));
    const ys = [...svg.matchAll(/cy="([\d.]+)"/g)].map(([, y]) => Number(y));
    expect(ys).toEqual(ys.toSorted((a, b) => b - a));
    expect(new Set(ys).size).toBe(3);
  });

  it('draws a single value, zeroes and time on the x axis', () => {
    for (const points of [[[0, 5]], [[0, 0]], Array.from({ length: 99 }, (_, i) => [i / 10, i])] as [
      number,
      number,
    ][][]) {
      const svg = drawChart({
        title: 't',
        x: { label: 's' },
        y: { label: 'MB' },
        series: [{ name: 'a', points }],
      });
      expect(svg).not.toMatch(/NaN|Infinity/);
    }
  });

  it.each([
    [0, [0, 1]],
    [1, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [26, [0, 10, 20, 30]],
    [4700, [0, 1000, 2000, 3000, 4000, 5000]],
  ])('has round numbers up to %s', (highest, ticks) => {
    expect(niceTicks(highest)).toEqual(ticks);
  });
});

describe('the README', () => {
  it('gets its table between the markers, again and again', () => {
    const readme = `# Title\n\n${BEGIN}\nold\n${END}\n\nmore\n`;
    const once = withResults(readme, report);
    expect(once).toContain('| cost | ≤ 1.10 | 1.20 (1.05–1.30), **missed** | 20 ms | 17 ms |');
    expect(once).toContain('| memory | ≤ 96.0 MB | 80.0 MB (80.0–80.0) | a | b |');
    expect(once).toContain('| also | – | 3.00 (3.00–3.00) | c | d |');
    expect(once).toContain('2026-11-22, commit abc1234: 2 cores of A <fast> one, 24 GiB');
    expect(once).not.toContain('old');
    expect(once.startsWith('# Title\n')).toBe(true);
    expect(once.endsWith(`${END}\n\nmore\n`)).toBe(true);
    expect(withResults(once, report)).toBe(once);
  });

  it('must have both markers, as ours has', async () => {
    expect(() => withResults(`${END}${BEGIN}`, report)).toThrow('the README has no');
    const ours = await readFile(new URL('../../load-tests/README.md', import.meta.url), 'utf8');
    expect(() => withResults(ours, report)).not.toThrow();
  });
});

it.each([
  [0.9744, '0.974'],
  [1.0312, '1.03'],
  [17.234, '17.2'],
  [123.6, '124'],
  [12_345.6, '12,346'],
])('%s is told as %s', (value, text) => {
  expect(digits(value)).toBe(text);
});
