// Stands before an S3 server and counts what passes: requests by kind, bytes both ways.

import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';

export interface Passed {
  /** By kind: GET, PUT, POST, HEAD, DELETE, LIST. */
  readonly requests: Readonly<Record<string, number>>;
  /** Bytes of bodies, to the store and from it. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface CountingProxy extends AsyncDisposable {
  /** E.g. `http://127.0.0.1:41234`. */
  readonly origin: string;
  /** Since it began. */
  passed(): Passed;
}

/** The Host header goes through as it came, since signatures cover it. */
export async function startCountingProxy(target: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(target);
  const agent = new Agent({ keepAlive: true });
  const requests: Record<string, number> = {};
  let bytesIn = 0;
  let bytesOut = 0;
  const server = createServer((incoming, answer) => {
    const kind = kindOf(incoming);
    requests[kind] = (requests[kind] ?? 0) + 1;
    incoming.on('data', (chunk: Buffer) => (bytesIn += chunk.length));
    const { method, url, headers } = incoming;
    const passedOn = request({ hostname, port, agent, method, path: url, headers }, (theirs) => {
      answer.writeHead(theirs.statusCode ?? 502, theirs.rawHeaders);
      theirs.on('data', (chunk: Buffer) => (bytesOut += chunk.length));
      pipeline(theirs, answer).catch(() => answer.destroy());
    });
    passedOn.on('error', () => answer.destroy());
    pipeline(incoming, passedOn).catch(() => passedOn.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passed: () => ({ requests: { ...requests }, bytesIn, bytesOut }),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await once(server, 'close');
    },
  };
}

/** A listing is a GET that asks the bucket and not an object. */
function kindOf({ method = '', url = '' }: IncomingMessage): string {
  return method === 'GET' && /[?&](?:list-type|uploads)\b/.test(url) ? 'LIST' : method;
}
