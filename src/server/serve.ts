// Answering HTTP: the app on its port, and how its connections end.

import type { AddressInfo } from 'node:net';
import { buildApp } from '../app.ts';
import type { AppDeps } from '../app.ts';
import { drainableHttp } from '../lib/drain-http.ts';
import type { Life } from './life.ts';

/** Listens; resolves with the address, such as `http://127.0.0.1:3000`. `graceMs` as of DrainOptions, asked for at the end. */
export async function serve(
  { config, log, stack, leaving, deadline }: Life,
  deps: Omit<AppDeps, 'config' | 'log' | 'leaving'>,
  graceMs: () => number,
): Promise<string> {
  const app = await buildApp({ ...deps, config, log, leaving });
  stack.defer(() => app.close());
  const drainHttp = drainableHttp(app.server);
  // For "localhost" Fastify would open a second server on ::1 that nobody drains.
  const host = config.HOST === 'localhost' ? '127.0.0.1' : config.HOST;
  await app.listen({ host, port: config.PORT });
  stack.defer(() => drainHttp({ deadline: deadline(), graceMs: graceMs() }));
  const { port } = app.server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
