// A site of webhooks for each test, and receivers that it sends to.

import { afterEach, beforeEach, expect } from 'vitest';
import type { Webhooks } from '../../src/webhooks/webhooks.ts';
import { startReceiver } from './receiver.ts';
import type { Answer, Message, Receiver } from './receiver.ts';
import { endedJob, makeSite } from './site.ts';
import type { Site } from './site.ts';

interface Dispatching {
  /** Of this test; closed after it. */
  readonly site: Site;
  /** A receiver; closed after the test. */
  receiving(answer?: Answer): Promise<Receiver>;
  /** What came to `/hook`, once a message that is sent now has come too: whatever was to be sent before it has. */
  hooksOf(receiver: Receiver, webhooks: Webhooks): Promise<Message[]>;
}

/** Call it where tests are described. */
export function dispatching(): Dispatching {
  let site: Site;
  let stack: AsyncDisposableStack;
  beforeEach(async () => {
    stack = new AsyncDisposableStack();
    site = stack.use(await makeSite());
  });
  afterEach(() => stack.disposeAsync());
  return {
    get site() {
      return site;
    },
    async receiving(answer) {
      const receiver = await startReceiver(answer);
      // Before the site closes, so that nothing waits for an answer any more.
      stack.use(receiver);
      return receiver;
    },
    async hooksOf(receiver, webhooks) {
      // Two, one after the other: what was found by the look that found the first has come before the second.
      for (const path of ['/first', '/second'].map((each) => `${each}/${receiver.messages.length}`)) {
        // Of another tenant, so that no endpoint is told of it.
        await webhooks.deliveries.owe(
          endedJob({ tenant: 'marker', webhook: { url: urlOf(receiver, path) } }),
        );
        await expect.poll(() => receiver.messages.some((message) => message.path === path)).toBe(true);
      }
      return receiver.messages.filter((message) => message.path === '/hook');
    },
  };
}

export const urlOf = (receiver: Receiver, path = '/hook'): string => `${receiver.server.origin}${path}`;

/** Answers with the first code, then the second …; with the last from then on. */
export const status =
  (...codes: number[]): Answer =>
  (response, _message, index) =>
    response.writeHead(codes[Math.min(index, codes.length - 1)] ?? 200).end('as told');
