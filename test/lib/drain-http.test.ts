// Draining an HTTP server: no request is lost, nothing waits for ever.

import { createServer } from 'node:http';
import type { RequestListener, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { drainableHttp } from '../../src/lib/drain-http.ts';

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const MINUTE = 60_000;
const closers: (() => unknown)[] = [];

// Only what the drain itself uses: the sockets are real, and Node's own timers are not these.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
});
afterEach(async () => {
  vi.useRealTimers();
  for (const close of closers.splice(0).toReversed()) await close();
});

async function serve(listener: RequestListener) {
  const server = createServer({ keepAliveTimeout: MINUTE }, listener);
  const drain = drainableHttp(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { server, drain, port };
}

/** A connection whose received text can be awaited. */
async function open(port: number) {
  const socket = connect(port, '127.0.0.1');
  closers.push(() => socket.destroy());
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await once(socket, 'connect');
  return {
    socket,
    closed,
    text: () => text,
    async until(part: string) {
      while (!text.includes(part)) await once(socket, 'data');
    },
  };
}

/** Until the server has seen so many connections: a client is connected before the server has accepted. */
async function accepted(server: Server, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const [socket] = (await once(server, 'connection')) as [Socket];
    sockets.push(socket);
  }
  return sockets;
}

const later = (deadline = Date.now() + MINUTE, graceMs = 5000) => ({ deadline, graceMs });

test('a request on an idle connection is still answered, with Connection: close', async () => {
  const { drain, port } = await serve((_, response) => response.end('fine'));
  const client = await open(port);
  client.socket.write(GET);
  await client.until('fine');
  expect(client.text()).toMatch(/connection: keep-alive/i);

  const drained = drain(later());
  client.socket.write(GET);
  await client.closed;
  const second = client.text().split('fine')[1];
  expect(second).toMatch(/200 OK/);
  expect(second).toMatch(/connection: close/i);
  await drained;
});

test('new connections are refused', async () => {
  const { drain, port } = await serve((_, response) => response.end('fine'));
  await drain(later());
  await expect(open(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('a request in flight ends whole and says Connection: close', async () => {
  const { promise: asked, resolve } = Promise.withResolvers<ServerResponse>();
  const { drain, port } = await serve((_, response) => resolve(response));
  const client = await open(port);
  client.socket.write(GET);
  const response = await asked;
  const drained = drain(later());
  response.end('at last');
  await client.closed;
  expect(client.text()).toMatch(/connection: close/i);
  expect(client.text()).toMatch(/at last$/);
  await drained;
});

test('a stream that promised keep-alive ends whole, and its connection may be used once more', async () => {
  const { promise: asked, resolve } = Promise.withResolvers<ServerResponse>();
  const { drain, port } = await serve((request, response) => {
    if (request.url === '/more') return response.end('more');
    response.write('begin ');
    return resolve(response);
  });
  const client = await open(port);
  client.socket.write(GET);
  const response = await asked;
  await client.until('begin');
  const drained = drain(later());
  response.end('end');
  await client.until('end');
  client.socket.write(GET.replace('/', '/more'));
  await client.until('more');
  await client.closed;
  await drained;
});

test('an idle connection and one that never asked are closed after the grace, not before', async () => {
  const { server, drain, port } = await serve((_, response) => response.end('fine'));
  const sockets = accepted(server, 2);
  const idle = await open(port);
  idle.socket.write(GET);
  await idle.until('fine');
  await open(port);
  const both = await sockets;
  const drained = drain(later());
  vi.advanceTimersByTime(4999);
  expect(both.map(({ destroyed }) => destroyed)).toEqual([false, false]);
  vi.advanceTimersByTime(1);
  expect(both.map(({ destroyed }) => destroyed)).toEqual([true, true]);
  await drained;
});

test('without grace idle connections close at once, requests in flight still end', async () => {
  const { promise: asked, resolve } = Promise.withResolvers<ServerResponse>();
  const { server, drain, port } = await serve((_, response) => resolve(response));
  const sockets = accepted(server, 2);
  const busy = await open(port);
  busy.socket.write(GET);
  const idle = await open(port);
  await sockets;
  const response = await asked;
  const drained = drain(later(undefined, 0));
  vi.advanceTimersByTime(0);
  await idle.closed;
  response.end('at last');
  await busy.until('at last');
  await drained;
});

test('a request head that is arriving when the grace ends is waited for', async () => {
  const { server, drain, port } = await serve((_, response) => response.end('fine'));
  const sockets = accepted(server, 1);
  const client = await open(port);
  const [socket] = await sockets;
  const drained = drain(later());
  client.socket.write(GET.slice(0, 12));
  await vi.waitUntil(() => socket?.bytesRead === 12);
  vi.advanceTimersByTime(5000);
  client.socket.write(GET.slice(12));
  await client.until('fine');
  await drained;
});

test('what is open at the deadline is cut', async () => {
  const { promise: asked, resolve } = Promise.withResolvers<ServerResponse>();
  const { drain, port } = await serve((_, response) => resolve(response));
  const client = await open(port);
  client.socket.write(GET);
  await asked;
  const drained = drain(later());
  vi.advanceTimersByTime(MINUTE);
  await drained;
  await client.closed;
  expect(client.text()).toBe('');
});

test('a second call waits for the first; the server can be closed by its owner afterwards', async () => {
  const { server, drain } = await serve((_, response) => response.end('fine'));
  const first = drain(later());
  await Promise.all([first, drain(later())]);
  const error = await new Promise((resolve) => server.close(resolve));
  expect(error).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' });
});
