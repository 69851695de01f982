// A receiver of webhooks: a real https server that keeps what came, answers as told, and checks signatures as receivers do.

import { createHmac } from 'node:crypto';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { startHttps } from '../support/https-server.ts';
import type { HttpsServer } from '../support/https-server.ts';

export interface Message {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Receiver extends AsyncDisposable {
  readonly server: HttpsServer;
  /** All that came, in its order. */
  readonly messages: readonly Message[];
  /** Resolves when so many have come since the beginning. */
  came(count: number): Promise<readonly Message[]>;
}

export type Answer = (response: ServerResponse, message: Message, index: number) => void;

export async function startReceiver(answer: Answer = (response) => response.end()): Promise<Receiver> {
  const messages: Message[] = [];
  let wake = Promise.withResolvers<void>();
  const server = await startHttps((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const message = {
        path: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      messages.push(message);
      answer(response, message, messages.length - 1);
      wake.resolve();
      wake = Promise.withResolvers();
    });
  });
  return {
    server,
    messages,
    async came(count) {
      while (messages.length < count) await wake.promise;
      return messages;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** As Standard Webhooks tells receivers to do it: whether one of the signatures is that of the secret. */
export function isSignedWith({ headers, body }: Message, secret: string): boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signed = `${headers['webhook-id'] as string}.${headers['webhook-timestamp'] as string}.${body}`;
  const expected = createHmac('sha256', key).update(signed).digest('base64');
  return String(headers['webhook-signature'])
    .split(' ')
    .some((signature) => signature === `v1,${expected}`);
}
