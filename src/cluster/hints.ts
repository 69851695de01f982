// The hint bus of a process: to its own listeners, and over the primary to every other process.

import type { Hint, HintBus } from '../contracts.ts';

export interface IpcHints extends HintBus {
  /** A hint of another process, or of the primary, has come. */
  deliver(hint: Hint): void;
}

/** `send` gives a hint to the primary, which relays it to all other processes. */
export function ipcHints(send: (hint: Hint) => void): IpcHints {
  const listeners = new Set<(hint: Hint) => void>();
  const deliver = (hint: Hint): void => {
    // Never inside the caller: it may publish in the middle of a transaction that a listener would enter again.
    queueMicrotask(() => {
      for (const listener of listeners) listener(hint);
    });
  };
  return {
    publish(hint) {
      deliver(hint);
      send(hint);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    deliver,
  };
}
