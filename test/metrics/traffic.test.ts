// Requests are counted at the server: whole ones, those whose clients leave, and what is no HTTP at all.

import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { createTraffic } from '../../src/metrics/traffic.ts';

let metrics: ReturnType<typeof createMetrics>;
let traffic: ReturnType<typeof createTraffic>;
let server: ReturnType<typeof createServer>;
let url: string;

beforeEach(async () => {
  metrics = createMetrics();
  traffic = createTraffic(metrics);
  server = createServer((request, response) => {
    traffic.routed(response, request.url?.split('?')[0] ?? '');
    if (request.url?.startsWith('/held')) return;
    if (request.url?.endsWith('/events')) return void response.write(': beat\n\n');
    if (request.url === '/problem') response.problemCode = 'overloaded';
    request.resume();
    response.writeHead(request.url === '/problem' ? 503 : 200);
    response.end('x'.repeat(1000));
  });
  traffic.watch(server);
  server.on('clientError', (_error, socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

const counts = (): Record<string, number> =>
  Object.fromEntries(
    metrics.requests.snapshot().values.map(({ labels, value }) => [Object.values(labels).join(' '), value]),
  );

it('every answer, its problem and its bytes', async () => {
  for (let i = 0; i < 20; i++) {
    await (
      await fetch(`${url}/a`, { method: 'POST', body: 'y'.repeat(500), headers: { connection: 'close' } })
    ).text();
  }
  await (await fetch(`${url}/problem`)).text();
  await vi.waitFor(() => expect(counts()).toEqual({ 'POST /a 2xx': 20, 'GET /problem 5xx': 1 }));
  expect(metrics.problems.snapshot().values).toEqual([{ labels: { code: 'overloaded' }, value: 1 }]);
  traffic.settleBytes();
  expect(metrics.sentBytes.total()).toBeGreaterThan(21 * 1000);
  expect(metrics.receivedBytes.total()).toBeGreaterThan(20 * 500);
  expect(traffic.requestsInFlight()).toBe(0);
});

it('counts bytes once, however often it is asked', async () => {
  await (await fetch(`${url}/a`)).text();
  traffic.settleBytes();
  const sent = metrics.sentBytes.total();
  traffic.settleBytes();
  server.closeAllConnections();
  await vi.waitFor(() => expect(counts()).toEqual({ 'GET /a 2xx': 1 }));
  expect(metrics.sentBytes.total()).toBe(sent);
});

it('those whose client leaves, as aborted', async () => {
  const outgoing = httpRequest(`${url}/held`).on('error', () => undefined);
  outgoing.end();
  await vi.waitFor(() => expect(traffic.requestsInFlight()).toBe(1));
  outgoing.destroy();
  await vi.waitFor(() => expect(counts()).toEqual({ 'GET /held aborted': 1 }));
  expect(traffic.requestsInFlight()).toBe(0);
});

it('event streams while they are open, and their length not at all', async () => {
  const leaving = new AbortController();
  await fetch(`${url}/v1/events`, { signal: leaving.signal });
  expect(traffic.eventStreams()).toBe(1);
  leaving.abort();
  await vi.waitFor(() => expect(traffic.eventStreams()).toBe(0));
  await (await fetch(`${url}/a?wait=5`)).text();
  await (await fetch(`${url}/a`, { headers: { prefer: 'wait=5' } })).text();
  await vi.waitFor(() => expect(counts()).toMatchObject({ 'GET /a 2xx': 2 }));
  expect(metrics.requestSeconds.snapshot().values).toEqual([]);
});

it('odd methods as one, and what is no HTTP', async () => {
  const odd = httpRequest(`${url}/a`, { method: 'PROPFIND' });
  odd.end();
  await once(odd, 'response');
  await vi.waitFor(() => expect(counts()).toMatchObject({ 'other /a 2xx': 1 }));
  odd.destroy();
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  socket.write('this is no HTTP\r\n\r\n');
  await once(socket, 'close');
  expect(metrics.malformed.total()).toBe(1);
});

it('how long an upload takes is of no percentile, but of its own route', async () => {
  const counted = (): number => metrics.latencies.reduce((sum, each) => sum + each, 0);
  await (await fetch(`${url}/v1/uploads`, { method: 'POST', body: 'y'.repeat(500) })).text();
  await vi.waitFor(() => expect(metrics.requestSeconds.snapshot().values).not.toEqual([]));
  expect(counted()).toBe(0);
  await (await fetch(`${url}/v1/uploads`)).text();
  await vi.waitFor(() => expect(counted()).toBe(1));
});
