// Bounds the bytes that a process holds in memory at once: whoever wants more waits for its turn.

export interface ByteGate {
  /**
   * Runs `work` when there is room for so many bytes: at once, or after those who came before. Who still waits when the
   * signal aborts leaves the line, and rejects with its reason.
   */
  pass<T>(bytes: number, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

interface Waiting {
  readonly bytes: number;
  readonly enter: () => void;
}

/** More than `most` at once pass alone. */
export function byteGate(most: number): ByteGate {
  const line: Waiting[] = [];
  let held = 0;
  const letIn = (): void => {
    for (let [first] = line; first !== undefined && held + first.bytes <= most; [first] = line) {
      line.shift();
      held += first.bytes;
      first.enter();
    }
  };

  async function turn(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { bytes, enter: resolve };
    const leave = (): void => {
      const place = line.indexOf(waiting);
      if (place === -1) return;
      line.splice(place, 1);
      reject(signal?.reason);
      // It may have been the one that was too large for the room there is.
      letIn();
    };
    line.push(waiting);
    letIn();
    signal?.addEventListener('abort', leave);
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }

  return {
    async pass(asked, work, signal) {
      const bytes = Math.min(asked, most);
      await turn(bytes, signal);
      try {
        return await work();
      } finally {
        held -= bytes;
        letIn();
      }
    },
  };
}

/** Up to `upTo` bytes through `small`, where they never wait behind large ones that go on slowly. */
export function gateBySize(upTo: number, small: ByteGate, large: ByteGate): ByteGate {
  return {
    pass: (bytes, work, signal) => (bytes <= upTo ? small : large).pass(bytes, work, signal),
  };
}
