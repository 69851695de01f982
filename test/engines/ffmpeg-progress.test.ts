import { describe, expect, it } from 'vitest';
import { ProgressReader, ProgressSum } from '../../src/engines/ffmpeg-progress.ts';
import type { ProgressBlock } from '../../src/engines/ffmpeg-progress.ts';

function blocksOf(...chunks: string[]): ProgressBlock[] {
  const blocks: ProgressBlock[] = [];
  const reader = new ProgressReader((block) => blocks.push(block));
  for (const chunk of chunks) reader.feed(chunk);
  return blocks;
}

describe('progress lines', () => {
  it('are read in microseconds, whatever out_time_ms calls itself', () => {
    expect(
      blocksOf('frame=325\nout_time_us=12880078\nout_time_ms=12880078\nspeed=2.4x\nprogress=continue\n'),
    ).toEqual([{ outSeconds: 12.880078, frames: 325, speed: 2.4, isLast: false }]);
  });

  it('may be cut anywhere', () => {
    expect(blocksOf('out_time_us=1', '500000\nspe', 'ed=  1.37e+04x\nprogress=e', 'nd\n')).toEqual([
      { outSeconds: 1.5, frames: null, speed: 13_700, isLast: true },
    ]);
  });

  it('may lack everything: runs of sound have no frames, new ones no time', () => {
    expect(
      blocksOf(
        'out_time_us=N/A\nspeed=N/A\nprogress=continue\n',
        'out_time_us=-9223372036854775808\nspeed=0x\nprogress=continue\n',
        'progress=continue\n',
      ),
    ).toEqual(
      Array.from({ length: 3 }, () => ({ outSeconds: null, frames: null, speed: null, isLast: false })),
    );
  });
});

describe('the sum', () => {
  const block = (outSeconds: number | null, speed: number | null = 2) => ({
    outSeconds,
    frames: null,
    speed,
    isLast: false,
  });

  it('is a fraction of what is expected, with an estimate', () => {
    let time = 0;
    const sum = new ProgressSum([{ weight: 10, expectedSeconds: 10 }], () => time);
    time = 2000;
    const { progress, speed, etaSeconds } = sum.update(0, block(4));
    expect(progress).toBeCloseTo(0.396, 3);
    expect(speed).toBe(2);
    expect(etaSeconds).toBe(3);
  });

  it('never goes backwards, and is 1 for nobody but the publisher', () => {
    const sum = new ProgressSum([{ weight: 1, expectedSeconds: 10 }], () => 0);
    expect(sum.update(0, block(5)).progress).toBeCloseTo(0.495);
    expect(sum.update(0, block(2)).progress).toBeCloseTo(0.495);
    expect(sum.update(0, block(null)).progress).toBeCloseTo(0.495);
    expect(sum.update(0, block(50)).progress).toBeLessThan(1);
    expect(sum.finish(0).progress).toBeLessThan(1);
  });

  it('weighs several runs', () => {
    const sum = new ProgressSum(
      [
        { weight: 3, expectedSeconds: 60 },
        { weight: 1, expectedSeconds: null },
      ],
      () => 0,
    );
    expect(sum.update(0, block(30)).progress).toBeCloseTo(0.99 * 0.375);
    expect(sum.update(1, block(30)).progress).toBeCloseTo(0.99 * 0.375);
    expect(sum.finish(1).progress).toBeCloseTo(0.99 * 0.625);
  });

  it('makes no estimate of the first instant', () => {
    const sum = new ProgressSum([{ weight: 1, expectedSeconds: 10 }], () => 0);
    expect(sum.update(0, block(5)).etaSeconds).toBeNull();
  });

  it('estimates by what this attempt has done itself', () => {
    let now = 0;
    const sum = new ProgressSum([{ weight: 10, expectedSeconds: null }], () => now);
    now = 1000;
    expect(sum.reach(0, 0.5, null, true)).toMatchObject({ progress: 0.495, etaSeconds: null });
    now = 10_000;
    // A quarter in 10 s, a quarter is left.
    expect(sum.reach(0, 0.75, 3)).toMatchObject({ speed: 3, etaSeconds: 10 });
  });
});
