// A hint bus within one process: for a server of one process, and for tests.

interface LocalHints<Hint> {
  publish(hint: Hint): void;
  /** Returns the function that unsubscribes. */
  subscribe(listener: (hint: Hint) => void): () => void;
}

/** Every subscriber hears every hint, also the publisher's own. Fits `HintBus` of contracts.ts. */
export function localHints<Hint>(): LocalHints<Hint> {
  const listeners = new Set<(hint: Hint) => void>();
  return {
    publish(hint) {
      // Later, as it would be between processes: nobody's listener runs inside the publisher's call.
      queueMicrotask(() => {
        for (const listener of listeners) listener(hint);
      });
    },
    subscribe(listener) {
      // Wrapped, so that one function subscribed twice is two subscriptions.
      const own = (hint: Hint) => listener(hint);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
  };
}
