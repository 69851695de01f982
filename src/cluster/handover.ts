// Closes the connections that node:cluster was handing to a process when it died, so that their clients hear of it.

import type { Worker } from 'node:cluster';

interface Handle {
  close(): void;
}

/**
 * node:cluster accepts every connection in the primary and hands it to a process by a message. If the process dies
 * before it has answered, Node forgets the connection but leaves it open, and the client waits for ever
 * (nodejs/node-v0.x-archive#7006, still so in Node 26). Call it right after the fork.
 *
 * It reads Node's internal messages; if those change, only this cure is lost, and its test fails.
 */
export function closeLostConnections(worker: Worker): void {
  const child = worker.process;
  const handed = new Map<number, Handle>();

  const send = child.send.bind(child) as (...values: unknown[]) => boolean;
  child.send = (message: unknown, handle?: unknown, options?: unknown, callback: unknown = () => {}) => {
    const { act, seq } = message as { act?: unknown; seq?: unknown };
    if (act === 'newconn' && typeof seq === 'number' && handle !== undefined)
      handed.set(seq, handle as Handle);
    // The callback keeps a failed send from becoming an 'error' event: 'exit' tells it all.
    return send(message, handle, options, callback);
  };
  child.on('internalMessage', ({ ack }: { ack?: number }) => {
    if (ack !== undefined) handed.delete(ack);
  });

  worker.once('exit', () => {
    // Takes it off the list that connections are dealt to: Node may still wait for an answer of the dead one there.
    worker.disconnect();
    for (const handle of handed.values()) handle.close();
    handed.clear();
  });
}
