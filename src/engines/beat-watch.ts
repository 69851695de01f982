// Notices when native code no longer comes back: the counter that a thread raises stands still.

/** How often within a deadline the counter is looked at: how late a stand-still may be noticed. */
const LOOKS = 10;

/**
 * Calls `onStandstill` once if `beat[0]` does not change for `deadlineMs`, at most a tenth late. A counter that is
 * still 0 is not watched yet: a thread that is just starting has not begun, and takes its time on a busy machine.
 * Returns what ends the watch.
 */
export function watchBeat(beat: Int32Array, deadlineMs: number, onStandstill: () => void): () => void {
  let heard = 0;
  let since = performance.now();
  const timer = setInterval(() => {
    const now = Atomics.load(beat, 0);
    if (now !== heard || now === 0) {
      heard = now;
      since = performance.now();
    } else if (performance.now() - since >= deadlineMs) {
      clearInterval(timer);
      onStandstill();
    }
  }, deadlineMs / LOOKS);
  return () => clearInterval(timer);
}

/** Over shared memory, so that a thread's progress is seen while it works. */
export function newBeat(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4));
}
