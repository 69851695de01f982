// Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): how they are written.

export interface ServerSentEvent {
  /** What a client that comes back names as the last it has seen. Without one, that stays as it was. */
  readonly id?: number;
  readonly event: string;
  readonly data: string;
}

export const SSE_TYPE = 'text/event-stream';

export function encodeEvent({ id, event, data }: ServerSentEvent): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\n${lines.join('')}\n`;
}

/** Milliseconds after which a client whose connection has ended comes back. */
export const encodeRetry = (milliseconds: number): string => `retry: ${milliseconds}\n\n`;

/** Keeps a silent connection open. It tells no event, but moves the client's last id on. */
export const encodeHeartbeat = (id?: number): string => (id === undefined ? ':\n\n' : `:\nid: ${id}\n\n`);

/** Passes frames on, and `beat` whenever none has come for so many milliseconds. Nothing is taken before it is wanted. */
export async function* withHeartbeats(
  frames: AsyncGenerator<string>,
  everyMs: number,
  beat: () => string,
): AsyncGenerator<string, void, undefined> {
  let wake = (): void => undefined;
  let isThere = false;
  const take = (): Promise<IteratorResult<string>> => {
    isThere = false;
    const next = frames.next();
    const arrive = (): void => {
      isThere = true;
      wake();
    };
    next.then(arrive, arrive);
    return next;
  };
  try {
    let next = take();
    for (;;) {
      if (!isThere) {
        // Not Promise.race: each of a week's heartbeats would stay with the one frame that is waited for.
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const timer = setTimeout(resolve, everyMs);
        await promise;
        clearTimeout(timer);
      }
      if (isThere) {
        const frame = await next;
        if (frame.done === true) return;
        yield frame.value;
        next = take();
      } else {
        yield beat();
      }
    }
  } finally {
    await frames.return(undefined);
  }
}
