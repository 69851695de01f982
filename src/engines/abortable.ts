// Waiting for work whose client may leave in the meantime.

/** The promise as it is; `onAbort` is called if the signal aborts before it is settled. */
export async function abortable<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  onAbort: (reason: unknown) => void,
): Promise<T> {
  if (signal === undefined) return promise;
  const abort = (): void => onAbort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
