// A wire to a server that can be cut: after so many bytes of an answer, or for good.

import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface CuttingProxy extends AsyncDisposable {
  /** `http://127.0.0.1:{port}` */
  readonly origin: string;
  /** The next connections, as often, are cut after the server has sent so many bytes. */
  cutAfter(bytes: number, times: number): void;
  /** How often it has cut. */
  cuts(): number;
  /** How often somebody came while nothing got through. */
  refused(): number;
  /** Lets nothing through any more, until it is called with false. */
  down(isDown: boolean): void;
}

export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  let left = 0;
  let most = Number.POSITIVE_INFINITY;
  let count = 0;
  let isDown = false;
  let refusals = 0;
  const server = createServer((from) => {
    if (isDown) {
      refusals++;
      return void from.destroy();
    }
    const to = connect(Number(port), hostname);
    for (const socket of [from, to]) {
      open.add(socket);
      socket.once('close', () => {
        open.delete(socket);
        from.destroy();
        to.destroy();
      });
      socket.on('error', () => undefined);
    }
    from.pipe(to);
    let sent = 0;
    to.on('data', (chunk) => {
      sent += chunk.length;
      if (left > 0 && sent > most) {
        left--;
        count++;
        from.destroy();
        return;
      }
      if (!from.write(chunk)) {
        to.pause();
        from.once('drain', () => to.resume());
      }
    });
    to.once('end', () => from.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cutAll = (): void => {
    for (const socket of open) socket.destroy();
  };
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutAfter(bytes, times) {
      most = bytes;
      left = times;
    },
    cuts: () => count,
    refused: () => refusals,
    down(is) {
      isDown = is;
      if (is) cutAll();
    },
    async [Symbol.asyncDispose]() {
      cutAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
