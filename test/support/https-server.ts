// An https server on this machine with a certificate of its own, for what is only fetched by https.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';

export interface HttpsServer extends AsyncDisposable {
  /** E.g. `https://localhost:41231`. */
  readonly origin: string;
  readonly port: number;
  /** Its certificate, as PEM. */
  readonly ca: string;
  /** Paths asked for, in their order. */
  readonly asked: readonly string[];
}

let certificate: Promise<string> | undefined;

/** Listens on 127.0.0.1. The certificate is for localhost, 127.0.0.1 and 127.0.0.2. */
export async function startHttps(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<HttpsServer> {
  const pem = await (certificate ??= makeCertificate());
  const asked: string[] = [];
  const server = createServer({ key: pem, cert: pem }, (request, response) => {
    asked.push(request.url ?? '');
    handler(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    origin: `https://localhost:${port}`,
    port,
    ca: pem.slice(pem.indexOf('-----BEGIN CERTIFICATE')),
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A body that goes on for as long as somebody takes it. */
export function writeEndlessly(response: ServerResponse, fill: string | number = 0): void {
  const push = (error?: Error | null): void => {
    if (!error && !response.destroyed) response.write(Buffer.alloc(64 * 1024, fill), push);
  };
  push();
}

/** Key and certificate in one. */
async function makeCertificate(): Promise<string> {
  const command =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout - -subj /CN=localhost';
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:127.0.0.2';
  const { stdout } = await promisify(execFile)('openssl', [...command.split(' '), '-addext', names]);
  return stdout;
}
