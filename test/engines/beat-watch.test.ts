// A stand-still is noticed, progress and a late start are not taken for one.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchBeat } from '../../src/engines/beat-watch.ts';

describe('watchBeat', () => {
  const beat = new Int32Array(new SharedArrayBuffer(4));
  const onStandstill = vi.fn<() => void>();
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    beat[0] = 0;
    onStandstill.mockReset();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('calls once, at most a tenth late', () => {
    beat[0] = 1;
    watchBeat(beat, 1000, onStandstill);
    vi.advanceTimersByTime(999);
    expect(onStandstill).not.toHaveBeenCalled();
    vi.advanceTimersByTime(201);
    expect(onStandstill).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(60_000);
    expect(onStandstill).toHaveBeenCalledTimes(1);
  });

  it('begins anew with every beat: the deadline is of one pass, and not of all together', () => {
    watchBeat(beat, 1000, onStandstill);
    for (let pass = 1; pass <= 20; pass++) {
      beat[0] = pass;
      vi.advanceTimersByTime(900);
    }
    expect(onStandstill).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1000);
    expect(onStandstill).toHaveBeenCalledTimes(1);
  });

  it('does not count the time in which a thread is started', () => {
    watchBeat(beat, 1000, onStandstill);
    vi.advanceTimersByTime(30_000);
    expect(onStandstill).not.toHaveBeenCalled();
  });

  it('ends when it is told to', () => {
    beat[0] = 1;
    watchBeat(beat, 1000, onStandstill)();
    vi.advanceTimersByTime(30_000);
    expect(onStandstill).not.toHaveBeenCalled();
  });
});
