import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { planRuns } from '../../../src/operations/video/plan.ts';
import { thumbnail } from '../../../src/operations/video/thumbnail.ts';
import type { Source } from '../../../src/operations/video-operation.ts';
import { probeOf, sourceOf } from './sources.ts';

type Asked = Omit<z.input<typeof thumbnail.params>, 'type'>;

function planned(asked: Asked, source: Source = sourceOf()) {
  const part = thumbnail.plan(thumbnail.params.parse({ type: 'thumbnail', ...asked }), source);
  const run = planRuns({ poster: part }, source).stills[0];
  if (run === undefined) throw new Error('no run was planned');
  return { part, run, options: run.outputs[0]?.options.join(' ') ?? '' };
}

describe('a thumbnail', () => {
  it('alone is a fast seek, and the best of the frames there', () => {
    const { run, options, part } = planned({ width: 640 });
    expect(run.seek).toBe(15);
    expect(run.graph).toBe('[0:0]scale=640:360,setsar=1,format=yuv420p,thumbnail=n=24,format=yuvj420p[v0]');
    expect(options).toContain('-c:v:0 mjpeg -q:v:0 5 -frames:v:0 1 -fps_mode:v:0 vfr');
    expect(options).toMatch(/-update 1 -f image2$/);
    expect(part.expects).toMatchObject({
      kind: 'still',
      video: { codec: 'mjpeg', size: { width: 640, height: 360 } },
    });
  });

  it('that finds nothing there is taken from the beginning', () => {
    const { run } = planned({ at: 30 });
    expect(run.fallback).toMatchObject({ seek: 0, fallback: null });
    expect(planned({ at: 0 }).run.fallback).toBeNull();
  });

  it.each([
    [undefined, 15],
    ['50%', 30],
    ['12.5%', 7.5],
    [12.5, 12.5],
    ['12.5', 12.5],
    ['100%', 59.8],
    [600, 59.8],
    [0, 0],
  ] as const)('at %j looks at second %d of sixty', (at, expected) => {
    expect(planned({ at }).run.seek).toBeCloseTo(expected, 3);
  });

  it('past the end says where it was taken', () => {
    expect(planned({ at: 600 }).part.decisions).toContain('taken from the end: the source is 60.0 s long');
  });

  it('of a source that does not say how long it is comes from its beginning', () => {
    const unknown = sourceOf(probeOf({ durationSeconds: null }, {}, { durationSeconds: null }));
    expect(planned({}, unknown).run.seek).toBe(0);
    expect(planned({ at: 7 }, unknown).run.seek).toBe(7);
  });

  it.each([
    [{ format: 'png' }, '-c:v:0 png -frames:v:0 1', 'format=rgb24[v0]'],
    [{ format: 'webp' }, '-c:v:0 libwebp -quality:v:0 80', 'format=yuv420p[v0]'],
    [{ quality: 100 }, '-q:v:0 2 ', 'format=yuvj420p[v0]'],
    [{ quality: 1 }, '-q:v:0 21', 'format=yuvj420p[v0]'],
  ] as const)('%j gives %s', (asked, option, filter) => {
    const { options, run } = planned(asked);
    expect(options).toContain(option);
    expect(run.graph).toContain(filter);
  });

  it('chooses among fewer frames where they are large or far apart', () => {
    const eight = probeOf({ width: 7680, height: 4320 });
    expect(planned({}, sourceOf(eight)).run.graph).toContain('thumbnail=n=2,');
    expect(planned({}, sourceOf(probeOf({ fps: 2 }))).run.graph).toContain('thumbnail=n=4,');
  });

  it('covers a box', () => {
    expect(planned({ width: 320, height: 320, fit: 'cover' }).run.graph).toContain(
      'scale=568:320,setsar=1,format=yuv420p,crop=320:320,thumbnail',
    );
  });

  it('needs a picture', () => {
    expect(() => planned({}, sourceOf(probeOf(null)))).toThrow(
      expect.objectContaining({ code: 'stream_missing' }),
    );
  });
});
