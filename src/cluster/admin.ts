// The admin port: /metrics, /livez and /readyz of all processes together, answered by the primary itself.

import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from '../logger.ts';
import { EXPOSITION_TYPE } from '../metrics/exposition.ts';

export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  readonly log: Pick<Logger, 'warn' | 'error'>;
  /** The text of /metrics. */
  readonly metrics: () => Promise<string>;
  /** Processes that serve, those of them that can do their work, how many there should be, and what they lack. */
  readonly serving: () => {
    readonly serving: number;
    readonly ready: number;
    readonly of: number;
    /** By the name of the check: why. */
    readonly lacking: Readonly<Record<string, string>>;
  };
}

export interface Admin {
  /** E.g. `http://127.0.0.1:9464`. */
  readonly address: string;
  close(): void;
}

/** Nobody needs more at once, and a leak of connections must not cost the primary. */
const MAX_CONNECTIONS = 32;
const PATHS = new Set(['/metrics', '/livez', '/readyz']);
const JSON_TYPE = 'application/json; charset=utf-8';

/** Listens. Rejects with what `listen` fails with, `EADDRINUSE` say. */
export function startAdmin({ host, port, log, metrics, serving }: AdminOptions): Promise<Admin> {
  const answer = async ({ method, url = '' }: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = url.split('?')[0] ?? '';
    if (!PATHS.has(path))
      return send(response, 404, 'text/plain', 'There are /metrics, /livez and /readyz.\n');
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return send(response, 405, 'text/plain', 'Only GET and HEAD are possible here.\n');
    }
    if (path === '/livez') return send(response, 200, JSON_TYPE, '{"status":"ok"}\n');
    if (path === '/metrics') return send(response, 200, EXPOSITION_TYPE, await metrics());
    const { lacking, ...counted } = serving();
    const ready = counted.ready > 0;
    const status = ready ? 'ready' : 'not_ready';
    // As /readyz of a process tells them, but for those that are well.
    const failed = Object.entries(lacking).map(([name, detail]) => [name, { ok: false, detail }] as const);
    const checks = failed.length > 0 ? { checks: Object.fromEntries(failed) } : {};
    const body = JSON.stringify({ status, ...counted, ...checks });
    return send(response, ready ? 200 : 503, JSON_TYPE, `${body}\n`);
  };

  const server = createServer({ maxHeaderSize: 8 * 1024, keepAliveTimeout: 5000 }, (request, response) => {
    // Nothing here takes a body.
    request.resume();
    answer(request, response).catch((error: unknown) => {
      log.error({ err: error }, 'the admin port could not answer');
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.headersTimeout = 5000;
  server.requestTimeout = 5000;

  const { promise, resolve, reject } = Promise.withResolvers<Admin>();
  server.once('error', reject);
  server.listen(port, host, () => {
    server.off('error', reject);
    server.on('error', (error) => log.warn({ err: error }, 'trouble at the admin port'));
    const { port: taken } = server.address() as AddressInfo;
    resolve({
      address: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`,
      close() {
        server.close();
        server.closeAllConnections();
      },
    });
  });
  return promise;
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response
    .writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    .end(response.req.method === 'HEAD' ? undefined : body);
}
