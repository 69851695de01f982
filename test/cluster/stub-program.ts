// A program of the real primary, the real processes and a stub of the server, whose paths do what a test needs.

import cluster from 'node:cluster';
import { pbkdf2 } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { pino } from 'pino';
import { OWNER_VARIABLE } from '../../src/cluster/messages.ts';
import { runPrimary } from '../../src/cluster/primary.ts';
import { runProcess } from '../../src/cluster/process.ts';
import type { ProcessOptions } from '../../src/cluster/process.ts';
import { readConfig, threadPoolSize } from '../../src/config.ts';
import { drainableHttp } from '../../src/lib/drain-http.ts';

const config = readConfig(process.env);
// Written at once: by itself pino writes in libuv's pool, which a stuck call fills and SIGKILL empties.
const log = pino({ base: { pid: process.pid } }, pino.destination({ fd: 1, sync: true }));

if (cluster.isPrimary) {
  runPrimary({ config, log, env: { UV_THREADPOOL_SIZE: String(threadPoolSize(config)) } });
} else {
  await runProcess({ config, log, owner: process.env[OWNER_VARIABLE] ?? '', machine: '', startServer });
}

/** A native call in libuv's pool that goes on for minutes, as an image that cannot be stopped. */
function startStuckCall(): void {
  pbkdf2('password', 'salt', 1_000_000_000, 64, 'sha512', () => {});
}

async function startServer({
  hints,
  owner,
  onOverrun,
}: Parameters<ProcessOptions['startServer']>[0]): ReturnType<ProcessOptions['startServer']> {
  const presets = config.PRESETS_FILE === undefined ? '' : await readFile(config.PRESETS_FILE, 'utf8');
  if (presets.includes('bad')) throw new Error('the presets are bad');
  hints.subscribe((hint) => log.info({ hint }, 'hint'));

  const closing = Promise.withResolvers<void>();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<unknown> => {
    await buffer(request);
    switch (request.url) {
      case '/held':
        log.info('held');
        await closing.promise;
        return response.end('answered in the drain');
      case '/never':
        log.info('held');
        return undefined;
      case '/crash':
        setImmediate(() => {
          throw new Error('crash');
        });
        return undefined;
      case '/overrun':
        startStuckCall();
        onOverrun();
        break;
      case '/stuck':
        startStuckCall();
        break;
      case '/publish':
        hints.publish({ topic: 'job', id: 'one' });
        break;
    }
    return response.end(
      JSON.stringify({ pid: process.pid, owner, presets, pool: process.env.UV_THREADPOOL_SIZE }),
    );
  };
  const server = createServer((request, response) => void answer(request, response));
  const drain = drainableHttp(server);
  server.listen(config.PORT, config.HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  log.info({ owner }, 'up');
  return {
    address: `http://127.0.0.1:${port}`,
    async close(deadline, why) {
      closing.resolve();
      await drain({ deadline, graceMs: why === 'stop' ? 0 : server.keepAliveTimeout });
    },
  };
}
