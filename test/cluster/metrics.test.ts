// The admin port of the real program: every process counts, and a stuck one never fails the scrape.

import { readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { eventually } from '../support/eventually.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';
import { forksOf, HAS_PROC } from '../support/processes.ts';

const DOCS = resolve(import.meta.dirname, '../../docs');
let program: Program;
let admin: string;

beforeAll(async () => {
  program = await startProgram({ ADMIN_PORT: '0', URL_UNSIGNED: 'true' });
  admin = String((await program.waitFor(({ msg }) => msg === 'metrics'))['address']);
}, 60_000);
afterAll(() => program[Symbol.asyncDispose]());

/** On a connection of its own: a kept one would hold up the reload, and go to the same process again. */
function call(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(new URL(path, program.address), { ...init, headers: { connection: 'close' } });
}

/** The values of a scrape, by name and labels. */
async function scrape(): Promise<Map<string, number>> {
  const response = await fetch(`${admin}/metrics`);
  expect(response.status).toBe(200);
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

/** Added up over all labels that contain `fits`. */
function sum(values: ReadonlyMap<string, number>, name: string, fits = ''): number {
  return [...values]
    .filter(([key]) => key.startsWith(`${name}{`) && key.includes(fits))
    .reduce((all, [, value]) => all + value, 0);
}

test('counts what all processes did', async () => {
  const before = await scrape();
  const photo = await imageFixture({ width: 400, height: 300 });
  for (let i = 0; i < 6; i++) {
    const answer = await call('/v1/images?width=100&format=webp', { method: 'POST', body: photo });
    expect(answer.status).toBe(200);
    await answer.arrayBuffer();
  }
  expect((await call('/nothing-here')).status).toBe(404);
  const clip = await readFile(await clipFixture({ seconds: 1, width: 320, height: 240 }));
  const accepted = await call('/v1/videos?format=mp4&height=120', { method: 'POST', body: clip });
  const { id } = (await accepted.json()) as { id: string };
  const ended = await call(`/v1/jobs/${id}?wait=25`);
  expect(await ended.json()).toMatchObject({ status: 'succeeded' });

  // An answer is counted when its connection has let go of it, which may be after the client has it.
  await vi.waitFor(async () => {
    const now = await scrape();
    const grew = (name: string, fits?: string): number => sum(now, name, fits) - sum(before, name, fits);
    expect(grew('mediamill_http_requests_total', 'method="POST",route="/v1/images",status="2xx"')).toBe(6);
    expect(grew('mediamill_http_requests_total', 'route="none",status="4xx"')).toBe(1);
    expect(grew('mediamill_problems_total', 'code="route_not_found"')).toBe(1);
    expect(grew('mediamill_images_total', 'succeeded')).toBe(6);
    expect(grew('mediamill_image_processing_seconds_count', 'format="webp"')).toBe(6);
    expect(grew('mediamill_image_pixels_total', 'in')).toBe(6 * 400 * 300);
    expect(grew('mediamill_jobs_ended_total', 'lane="video",outcome="succeeded"')).toBe(1);
    expect(grew('mediamill_job_run_seconds_count', 'lane="video",outcome="succeeded"')).toBe(1);
    expect(grew('mediamill_ffmpeg_runs_total', 'tool="ffmpeg",outcome="succeeded"')).toBeGreaterThan(0);
    expect(now.get('mediamill_ffmpeg_media_seconds_total')).toBeGreaterThan(0.5);
    expect(now.get('mediamill_http_received_bytes_total')).toBeGreaterThan(6 * photo.length + clip.length);
    // Not once for each process.
    expect(now.get('mediamill_jobs{status="succeeded"}')).toBe(1);
    expect(now.get('mediamill_processes{state="serving"}')).toBe(2);
    expect(now.get('mediamill_processes{state="silent"}')).toBe(0);
    expect(now.get('mediamill_http_requests_in_flight')).toBe(0);
    // Prometheus has one line for each.
    expect([...now.values()].filter((value) => Number.isNaN(value)).length).toBeLessThan(now.size / 2);
  });
}, 30_000);

test.each(['grafana-dashboard.json', 'alerts.yaml'])('every metric of docs/%s is told', async (file) => {
  const text = await readFile(resolve(DOCS, file), 'utf8');
  if (file.endsWith('.json')) {
    const board = JSON.parse(text) as { panels: { type: string; targets?: unknown[] }[] };
    for (const panel of board.panels) if (panel.type !== 'row') expect(panel.targets).not.toHaveLength(0);
  }
  const named = new Set(text.match(/\bmediamill_\w+/g));
  expect(named.size).toBeGreaterThan(5);
  // One that has no number just now (a lag that was not yet measured since the last scrape) is told by the next.
  const missing = new Set(named);
  await eventually(`all of ${[...named].join(', ')}`, async () => {
    const there = await (await fetch(`${admin}/metrics`)).text();
    const told = new Set([...there.matchAll(/^# TYPE (\w+)/gm)].map(([, name = '']) => name));
    for (const name of missing) {
      if (told.has(name) || told.has(name.replace(/_(?:bucket|sum|count)$/, ''))) missing.delete(name);
    }
    return missing.size === 0;
  });
});

test.runIf(HAS_PROC)('a stopped process is told as silent, and what it counted stays', async () => {
  const before = await scrape();
  const [victim = Number.NaN] = forksOf(program.pid);
  process.kill(victim, 'SIGSTOP');
  try {
    const begun = performance.now();
    const now = await scrape();
    expect(performance.now() - begun).toBeLessThan(3000);
    expect(now.get('mediamill_processes{state="silent"}')).toBe(1);
    expect(now.get('mediamill_processes{state="serving"}')).toBe(1);
    expect(sum(now, 'mediamill_http_requests_total')).toBeGreaterThanOrEqual(
      sum(before, 'mediamill_http_requests_total'),
    );
  } finally {
    process.kill(victim, 'SIGCONT');
  }
  await vi.waitFor(async () => {
    expect((await scrape()).get('mediamill_processes{state="serving"}')).toBe(2);
  });
});

test('the admin port says how many processes serve, and takes nothing', async () => {
  expect(await (await fetch(`${admin}/readyz`)).json()).toEqual({
    status: 'ready',
    serving: 2,
    ready: 2,
    of: 2,
  });
  expect(await (await fetch(`${admin}/livez`)).json()).toEqual({ status: 'ok' });
  expect((await fetch(`${admin}/metrics`, { method: 'POST', body: 'x' })).status).toBe(405);
  expect((await fetch(`${admin}/metrics`, { method: 'HEAD' })).status).toBe(200);
  expect((await fetch(`${admin}/v1/jobs`)).status).toBe(404);
  // A hundred connections that say nothing keep nobody else out for ever: past the bound they are closed.
  const { hostname, port } = new URL(admin);
  const sockets = Array.from({ length: 40 }, () => connect(Number(port), hostname));
  for (const socket of sockets) socket.on('error', () => undefined);
  await Promise.race(sockets.map((socket) => once(socket, 'close')));
  for (const socket of sockets) socket.destroy();
  await vi.waitFor(async () => expect((await fetch(`${admin}/livez`)).status).toBe(200));
});

test('GET /v1/machine is the same in every process', async () => {
  await vi.waitFor(
    async () => {
      const views = await Promise.all(
        Array.from({ length: 8 }, async () => {
          const answer = await call('/v1/machine');
          return (await answer.json()) as { processes: number; samples: { at: string; threads: number }[] };
        }),
      );
      for (const { processes, samples } of views) {
        expect(processes).toBe(2);
        expect(samples.at(-1)?.threads).toBe(2);
      }
    },
    { timeout: 8000 },
  );
}, 15_000);

test('an admin port that is taken is told in words', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  await expect(startProgram({ ADMIN_PORT: String(port) })).rejects.toThrow(/is in use by another program/);
  taken.close();
});

// Last of all: its second half goes on when the test is over.
test('a process that leaves tells what it did before it goes', async () => {
  // Nothing is asked between this and its end.
  const before = await scrape();
  for (let i = 0; i < 4; i++) await (await call('/v1/operations')).arrayBuffer();
  const since = program.log.length;
  program.kill('SIGHUP');
  await program.waitFor(({ msg }) => msg === 'process left', { since });
  const now = await scrape();
  const route = 'route="/v1/operations"';
  expect(
    sum(now, 'mediamill_http_requests_total', route) - sum(before, 'mediamill_http_requests_total', route),
  ).toBe(4);
  expect(now.get('mediamill_process_exits_total{cause="left"}')).toBe(1);
}, 30_000);
