import { describe, expect, it } from 'vitest';
import { encodeEvent, encodeHeartbeat, encodeRetry, withHeartbeats } from '../../src/lib/sse.ts';

describe('what is written', () => {
  it('is one block an event', () => {
    expect(encodeEvent({ id: 7, event: 'progress', data: '{"a":1}' })).toBe(
      'id: 7\nevent: progress\ndata: {"a":1}\n\n',
    );
    expect(encodeEvent({ event: 'reset', data: 'one\ntwo\r\nthree\rid: 9' })).toBe(
      'event: reset\ndata: one\ndata: two\ndata: three\ndata: id: 9\n\n',
    );
    expect([encodeRetry(2000), encodeHeartbeat(7)]).toEqual(['retry: 2000\n\n', ':\nid: 7\n\n']);
  });
});

/** Frames that come when they are pushed. */
function source(): {
  frames: AsyncGenerator<string>;
  push(frame: string): void;
  end(error?: Error): void;
  closed(): boolean;
} {
  const waiting: string[] = [];
  let wake = (): void => undefined;
  let over: { error?: Error } | undefined;
  let closed = false;
  return {
    closed: () => closed,
    frames: (async function* () {
      try {
        for (;;) {
          const frame = waiting.shift();
          if (frame !== undefined) yield frame;
          else if (over !== undefined) {
            if (over.error) throw over.error;
            return;
          } else await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        closed = true;
      }
    })(),
    push(frame: string) {
      waiting.push(frame);
      wake();
    },
    end(error?: Error) {
      over = error === undefined ? {} : { error };
      wake();
    },
  };
}

describe('heartbeats', () => {
  it('come between frames, never instead of one, and say what is the last at that moment', async () => {
    const from = source();
    let last = 0;
    const all = withHeartbeats(from.frames, 5, () => `beat ${last}`);
    from.push('one');
    expect(await all.next()).toEqual({ done: false, value: 'one' });
    last = 1;
    expect(await all.next()).toEqual({ done: false, value: 'beat 1' });
    expect(await all.next()).toEqual({ done: false, value: 'beat 1' });
    from.push('two');
    from.push('three');
    expect([await all.next(), await all.next()].map(({ value }) => value)).toEqual(['two', 'three']);
    from.end();
    expect(await all.next()).toEqual({ done: true, value: undefined });
    expect(from.closed()).toBe(true);
  });

  it('end with the frames, and pass on what went wrong', async () => {
    const from = source();
    const all = withHeartbeats(from.frames, 60_000, () => 'beat');
    const next = all.next();
    from.end(new Error('gone'));
    await expect(next).rejects.toThrow('gone');
    expect(await all.next()).toEqual({ done: true, value: undefined });
  });

  it('let go of the frames when nobody wants more', async () => {
    const from = source();
    const all = withHeartbeats(from.frames, 5, () => 'beat');
    await all.next();
    from.end();
    await all.return();
    expect(from.closed()).toBe(true);
  });
});
