// Counts every request at the server itself: also those that no route answers, and whose clients leave half-way.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Tally } from './instruments.ts';
import type { Metrics } from './metrics.ts';

declare module 'node:http' {
  interface ServerResponse {
    /** The code of the problem that it answers with. */
    problemCode?: string;
    /** The pattern of the route that answers. */
    routePattern?: string;
  }
}

/** Looked up once for each route and not for each request. */
interface RouteTallies {
  readonly answers: Record<string, Tally>;
  took: ((milliseconds: number) => void) | undefined;
}

export interface Traffic {
  /** To be called once, before the server listens. */
  watch(server: Server): void;
  /** The route that answers, by its pattern. */
  routed(response: ServerResponse, pattern: string): void;
  requestsInFlight(): number;
  eventStreams(): number;
  /** Counts the bytes of all connections up to now. They are looked at here and at their end, not at each request. */
  settleBytes(): void;
}

/** Others become one: nobody may fill the memory with methods. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/**
 * It listens to the server and not to Fastify's `onResponse`, which does not come for every request: about one in seven
 * whose connection closes with its answer missed it. It costs a request 1.5 µs of CPU; bytes looked at for each one, and
 * labels put together each time, made it 4.
 */
export function createTraffic(
  metrics: Pick<Metrics, 'requests' | 'problems' | 'durations' | 'malformed' | 'receivedBytes' | 'sentBytes'>,
): Traffic {
  /** With their bytes that are counted already. */
  const connections = new Map<Socket, { read: number; written: number }>();
  const streams = new Set<ServerResponse>();
  const routes = new Map<string, Map<string, RouteTallies>>();
  let inFlight = 0;

  const settle = (socket: Socket, counted: { read: number; written: number }): void => {
    const { bytesRead, bytesWritten } = socket;
    metrics.receivedBytes.add(bytesRead - counted.read);
    metrics.sentBytes.add(bytesWritten - counted.written);
    counted.read = bytesRead;
    counted.written = bytesWritten;
  };

  const ended = (request: IncomingMessage, response: ServerResponse, milliseconds: number): void => {
    const { method = '' } = request;
    const shown = METHODS.has(method) ? method : 'other';
    const route = response.routePattern ?? 'none';
    if (isStream(route)) streams.delete(response);
    const tallies = talliesOf(shown, route);
    const status = response.writableFinished ? classOf(response.statusCode) : 'aborted';
    const tally = (tallies.answers[status] ??= metrics.requests.of(shown, route, status));
    tally.value++;
    if (response.problemCode !== undefined) metrics.problems.add(1, response.problemCode);
    if (waits(request, route)) return;
    tallies.took ??= metrics.durations(shown, route);
    tallies.took(milliseconds);
  };

  const talliesOf = (method: string, route: string): RouteTallies => {
    let methods = routes.get(route);
    if (methods === undefined) routes.set(route, (methods = new Map()));
    let tallies = methods.get(method);
    if (tallies === undefined) methods.set(method, (tallies = { answers: {}, took: undefined }));
    return tallies;
  };

  return {
    watch(server) {
      server.on('connection', (socket: Socket) => {
        const counted = { read: 0, written: 0 };
        connections.set(socket, counted);
        socket.once('close', () => {
          connections.delete(socket);
          settle(socket, counted);
        });
      });
      // Before Fastify: it may have answered when its listener returns.
      server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
        const begunAt = performance.now();
        inFlight++;
        response.on('close', () => {
          inFlight--;
          ended(request, response, performance.now() - begunAt);
        });
      });
      server.on('clientError', () => metrics.malformed.add(1));
    },
    routed(response, pattern) {
      response.routePattern = pattern;
      if (isStream(pattern)) streams.add(response);
    },
    requestsInFlight: () => inFlight,
    eventStreams: () => streams.size,
    settleBytes() {
      for (const [socket, counted] of connections) settle(socket, counted);
    },
  };
}

const CLASSES = ['0xx', '1xx', '2xx', '3xx', '4xx', '5xx'];

function classOf(status: number): string {
  return CLASSES[Math.trunc(status / 100)] ?? 'other';
}

function isStream(route: string): boolean {
  return route.endsWith('/events');
}

/** Whether the client asked for an answer that comes later: its duration says nothing of us. */
function waits({ url = '', headers: { prefer } }: IncomingMessage, route: string): boolean {
  return (
    isStream(route) || url.includes('wait=') || (prefer !== undefined && String(prefer).includes('wait'))
  );
}
