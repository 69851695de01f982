// A link between a host and a server, through which all its bytes go: it can be cut, held or slowed.

import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Link extends AsyncDisposable {
  /** Where the host connects to. */
  readonly port: number;
  /** Breaks all connections, and takes no new ones. */
  cut(): void;
  /** Holds all bytes, of new connections too; they arrive late, and also if their sender has given up meanwhile. */
  stall(): void;
  /** Each piece comes later by so many milliseconds. */
  slow(milliseconds: number): void;
  heal(): void;
}

export async function openLink(target: number): Promise<Link> {
  const sockets = new Set<Socket>();
  let isCut = false;
  let delayMs = 0;
  let open = Promise.withResolvers<void>();
  open.resolve();

  const reset = (socket: Socket): void => void socket.resetAndDestroy();

  /** Resolves when the sender has ended and all it sent has arrived. */
  async function pass(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from.iterator({ destroyOnReturn: false })) {
        if (delayMs > 0) await sleep(delayMs);
        await open.promise;
        if (to.destroyed) break;
        if (!to.write(chunk as Buffer)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
      }
    } catch {
      // It was broken off; the other side hears of it when the link lets it.
    }
    await open.promise;
    to.destroySoon();
  }

  const server = createServer((host) => {
    if (isCut) return reset(host);
    const backend = connect({ port: target, host: '127.0.0.1' });
    for (const [socket, other] of [
      [host, backend],
      [backend, host],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        // Broken off without a byte to pass: the iterator does not tell of it.
        void open.promise.then(() => other.destroySoon());
      });
      void pass(socket, other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      isCut = true;
      for (const socket of sockets) reset(socket);
    },
    stall() {
      open = Promise.withResolvers();
    },
    slow(milliseconds) {
      delayMs = milliseconds;
    },
    heal() {
      isCut = false;
      delayMs = 0;
      open.resolve();
    },
    async [Symbol.asyncDispose]() {
      open.resolve();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
