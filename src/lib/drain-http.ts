// Closes an HTTP server without losing a request that a client is just sending.

import { Server as NetServer } from 'node:net';
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface DrainOptions {
  /** Milliseconds since 1970: what is still open then is cut. */
  readonly deadline: number;
  /**
   * How long, in milliseconds, a connection without a request may still bring one. At least the server's
   * keepAliveTimeout where another process serves on; 0 where nobody does.
   */
  readonly graceMs: number;
}

/** Resolves when every connection is closed. Calling it again waits for the same. */
export type DrainHttp = (options: DrainOptions) => Promise<void>;

interface Connection {
  readonly responses: Set<ServerResponse>;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Watches a server from its creation on, and returns the function that drains it.
 *
 * http.Server.close() destroys idle connections at once. A client that has just sent a request on one gets
 * a reset, and must not repeat it by itself if it was a POST (RFC 9112, 9.3.1 and 9.5). Here instead:
 * listening stops, every answer from now on says `Connection: close` (RFC 9112, 9.6), and a connection without
 * a request is given a grace, in which a client either uses it or, knowing the keep-alive time, leaves it.
 */
export function drainableHttp(server: Server): DrainHttp {
  const connections = new Map<Socket, Connection>();
  let options: DrainOptions | undefined;
  let drained: Promise<void> | undefined;

  const awaitRequest = (socket: Socket, connection: Connection, graceMs: number): void => {
    const seen = socket.bytesRead;
    connection.timer = setTimeout(() => {
      // A request head that is still arriving is a request; the server's own timeouts bound it.
      if (graceMs > 0 && socket.bytesRead > seen) awaitRequest(socket, connection, graceMs);
      else socket.destroy();
    }, graceMs);
  };

  server.on('connection', (socket: Socket) => {
    const connection: Connection = { responses: new Set(), timer: undefined };
    connections.set(socket, connection);
    socket.once('close', () => {
      clearTimeout(connection.timer);
      connections.delete(socket);
    });
    // Accepted in the moment when listening ended.
    if (options !== undefined) awaitRequest(socket, connection, options.graceMs);
  });

  // First of all listeners: the app must not have sent its headers yet.
  server.prependListener('request', ({ socket }, response) => {
    const connection = connections.get(socket);
    if (connection === undefined) return;
    clearTimeout(connection.timer);
    connection.responses.add(response);
    if (options !== undefined) response.shouldKeepAlive = false;
    response.once('close', () => {
      connection.responses.delete(response);
      if (options === undefined || connection.responses.size > 0 || socket.destroyed) return;
      // Its headers had promised keep-alive before the drain began. If they said close, Node is ending it already.
      if (response.shouldKeepAlive) awaitRequest(socket, connection, options.graceMs);
    });
  });

  const drain = async ({ deadline, graceMs }: DrainOptions): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    // Only stops listening; http.Server's own close() would cut the idle connections. Where it was closed before, the rest is waited for all the same.
    NetServer.prototype.close.call(server, () => resolve());
    for (const [socket, connection] of connections) {
      for (const response of connection.responses) {
        if (!response.headersSent) response.shouldKeepAlive = false;
      }
      if (connection.responses.size === 0) awaitRequest(socket, connection, graceMs);
    }
    const end = setTimeout(
      () => {
        for (const socket of connections.keys()) socket.destroy();
      },
      Math.max(0, deadline - Date.now()),
    );
    await promise;
    clearTimeout(end);
  };

  return (asked) => {
    options ??= asked;
    drained ??= drain(options);
    return drained;
  };
}
