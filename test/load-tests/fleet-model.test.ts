// The model of a fleet: its arithmetic, its page, and that the scenario measures what it is made of.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { NOTHING } from '../../load-tests/fleet/cost.ts';
import type { Cost } from '../../load-tests/fleet/cost.ts';
import {
  bearable,
  firstLimit,
  loadOf,
  RESOURCES,
  whenBusy,
  WORKLOADS,
} from '../../load-tests/fleet/model.ts';
import type { Coefficients, Workload } from '../../load-tests/fleet/model.ts';
import { drawScaling } from '../../load-tests/fleet/plot.ts';
import { markers, withDocument } from '../../load-tests/report/documents.ts';
import type { Report } from '../../load-tests/report/report.ts';
import { fleetModel } from '../../load-tests/scenarios/fleet-model.ts';
import { ROOT } from '../../load-tests/server-process.ts';
import { quickRuns } from './bench.ts';

const runQuick = quickRuns();

const cost = (some: Partial<Cost>): Cost => ({ ...NOTHING, ...some });
const known: Coefficients = {
  idleProcess: cost({ redisSeconds: 0.0005 }),
  connectionsHost: 4,
  connectionsProcess: 10,
  image: cost({ redisSeconds: 0.001, serverSeconds: 0.02, s3In: 1e6 }),
  video: cost({ redisSeconds: 0.005, s3In: 3e7, s3Out: 3e7, s3Writes: 6 }),
  running: cost({ redisSeconds: 0.0002 }),
  poll: cost({ redisSeconds: 0.0001 }),
  followed: cost({ redisSeconds: 0.0002 }),
};
const host = { cores: 10, processes: 4 };
const [videos, images, followed] = WORKLOADS as readonly [Workload, Workload, Workload];

it('adds up what hosts do and what idles', () => {
  const idle = 4 * 0.0005;
  // 10 cores, four fifths of them for images of 0.02 s.
  const rate = 400;
  expect(loadOf(known, images, host, 1).redisSeconds).toBeCloseTo(idle + rate * 0.001);
  expect(loadOf(known, images, host, 8).redisSeconds).toBeCloseTo(8 * (idle + rate * 0.001));
  expect(loadOf(known, images, host, 8).connections).toBe(8 * 44);
  // Every host reads the events of all: the square.
  const more = loadOf(known, followed, host, 8).redisSeconds - loadOf(known, images, host, 8).redisSeconds;
  expect(more).toBeCloseTo(8 * 8 * rate * 0.0002);
  // Five at once of 30 s each, each looked at every other second.
  expect(loadOf(known, videos, host, 1).redisSeconds).toBeCloseTo(
    idle + (5 / 30) * 0.005 + 5 * 0.0002 + 2.5 * 0.0001,
  );
});

it('counts with what a command costs a busy Redis', () => {
  const image = cost({ commands: 100, redisSeconds: 0.004, s3In: 5 });
  const busy = whenBusy({ ...known, image }, 0.000_005);
  expect(busy.image).toEqual(cost({ commands: 100, redisSeconds: 0.0005, s3In: 5 }));
  expect(busy.poll.redisSeconds).toBe(0);
});

it('finds the resource that is full first, and the last number of hosts before it', () => {
  const limit = firstLimit(known, videos, host);
  const { name, used, limit: most } = limit.resource;
  expect(name).toBe('CPU of Redis');
  expect(used(loadOf(known, videos, host, limit.hosts))).toBeLessThanOrEqual(most);
  expect(used(loadOf(known, videos, host, limit.hosts + 1))).toBeGreaterThan(most);
  const many = { ...host, processes: 100 };
  const cheap = { ...known, idleProcess: NOTHING };
  expect(firstLimit(cheap, videos, many)).toMatchObject({
    resource: { name: 'connections to Redis' },
    hosts: Math.floor(10_000 / 1004),
  });
  expect(bearable(known, videos, host).size).toBe(RESOURCES.length);
});

it('measures all of it against the real parts', async () => {
  const findings = await runQuick(fleetModel);
  // What is measured here is noise; that there is something is not.
  expect(findings.figures[0]?.median).toBeGreaterThan(0);
  expect(findings.figures.map(({ name }) => name)).toEqual([
    'Redis for an image job',
    ...WORKLOADS.map(({ name }) => `hosts until the first limit, ${name}`),
  ]);
  const [page, plot] = findings.documents ?? [];
  const row = (name: string): number[] => {
    const cells = page?.text.split('\n').find((line) => line.startsWith(`| ${name} |`));
    return (cells?.split('|').slice(2, -1) ?? []).map((cell) => Number(cell.trim().replaceAll(',', '')));
  };
  const [commands = 0, , , requests = 0, , into = 0] = row('an image job, with one long poll');
  expect(commands).toBeGreaterThan(10);
  // Its source goes up, and comes down where it is worked on; its result goes up.
  expect(requests).toBeGreaterThanOrEqual(3);
  expect(into).toBeGreaterThan(20);
  expect(page?.text).not.toMatch(/NaN|undefined|Infinity/);
  expect(plot?.text).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg".*<\/svg>\n$/s);
}, 60_000);

it('writes its part of the page and leaves the rest', () => {
  const { begin, end } = markers('figures');
  const report = { date: '2026-11-23T01:00:00Z', machine: { commit: 'abc', cores: 2 } } as unknown as Report;
  const text = `# Title\n\n${begin}\n\nold\n\n${end}\n\nmore\n`;
  const written = withDocument(text, { path: 'x.md', name: 'figures', text: 'new' }, report);
  expect(written).toMatch(
    /^# Title\n\n<!--.*-->\n\n2026-11-23, commit abc: 2 cores .*\n\nnew\n\n<!--.*-->\n\nmore\n$/s,
  );
  expect(() => withDocument('# Title', { path: 'x.md', name: 'figures', text: 'new' }, report)).toThrow(
    begin,
  );
  expect(withDocument(text, { path: 'x.svg', text: '<svg/>' }, report)).toBe('<svg/>');
});

it('the page has its figures, and the plot that it shows', async () => {
  const page = await readFile(join(ROOT, 'docs/scaling.md'), 'utf8');
  const { begin, end } = markers('figures');
  const part = page.slice(page.indexOf(begin) + begin.length, page.indexOf(end));
  expect(part).toMatch(/\d{4}-\d\d-\d\d, commit/);
  for (const { name } of WORKLOADS) expect(part).toContain(`| ${name} | 64 |`);
  const [, plot = ''] = /!\[.*\]\((.*\.svg)\)/.exec(page) ?? [];
  expect(await readFile(join(ROOT, 'docs', plot), 'utf8')).toContain('image jobs, followed on every host');
});

it('draws by powers, and escapes what stands in the plot', () => {
  const plot = drawScaling(
    'a <b>',
    [
      {
        name: 'c & d',
        points: [
          [1, 0.01],
          [64, 100],
        ],
      },
    ],
    1,
  );
  expect(plot).toContain('c &#38; d');
  expect(plot).not.toContain('<b>');
  const [, left, low, right, high] =
    /points="([\d.]+),([\d.]+) ([\d.]+),([\d.]+)"/.exec(plot)?.map(Number) ?? [];
  const [, limit] = /class="limit".*?y1="([\d.]+)"/.exec(plot)?.map(Number) ?? [];
  expect(right).toBeGreaterThan(left ?? Number.NaN);
  // As far from 0.01 as from 100.
  expect(limit).toBeCloseTo(((low ?? 0) + (high ?? 0)) / 2);
});
