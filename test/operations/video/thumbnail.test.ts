import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { planRuns } from '../../../src/operations/video/plan.ts';
import { thumbnail } from '../../../src/operations/video/thumbnail.ts';
import { transcode } from '../../../src/operations/video/transcode.ts';
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
    expect(run.inputs[0]?.seek).toBe(15);
    expect(run.graph).toBe('[0:0]scale=640:360,setsar=1,format=yuv420p,thumbnail=n=24,format=yuvj420p[v0]');
    expect(options).toContain('-c:v:0 mjpeg -q:v:0 5 -frames:v:0 1 -fps_mode:v:0 vfr');
    expect(options).toMatch(/-update 1 -f image2$/);
    expect(part.pieces[0]?.expects).toMatchObject({
      kind: 'still',
      video: { codec: 'mjpeg', size: { width: 640, height: 360 } },
    });
  });

  it('that finds nothing there is taken from the beginning', () => {
    const { run } = planned({ at: 30 });
    expect(run.fallback).toMatchObject({ inputs: [{ seek: 0 }], fallback: null });
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
    expect(planned({ at }).run.inputs[0]?.seek).toBeCloseTo(expected, 3);
  });

  it('past the end says where it was taken', () => {
    expect(planned({ at: 600 }).part.decisions).toContain('taken from the end: the source is 60.0 s long');
  });

  it('of a source that does not say how long it is comes from its beginning', () => {
    const unknown = sourceOf(probeOf({ durationSeconds: null }, {}, { durationSeconds: null }));
    expect(planned({}, unknown).run.inputs[0]?.seek).toBe(0);
    expect(planned({ at: 7 }, unknown).run.inputs[0]?.seek).toBe(7);
    expect(planned({ count: 5 }, unknown).part.finish).toEqual({ type: 'list', seconds: [0] });
    expect(planned({ at: 'best' }, unknown).part.decisions).toEqual([
      'taken from the beginning: the source does not say how long it is',
    ]);
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

describe('many thumbnails', () => {
  const many = (asked: Asked, source: Source = sourceOf()) => {
    const part = thumbnail.plan(thumbnail.params.parse({ type: 'thumbnail', ...asked }), source);
    return { part, plan: planRuns({ thumbs: part }, source) };
  };

  it('are spread evenly, each in the middle of its part, with a list', () => {
    const { part, plan } = many({ count: 4, width: 320 });
    expect(part.pieces.map(({ file }) => file)).toEqual([
      'thumbnail-001.jpg',
      'thumbnail-002.jpg',
      'thumbnail-003.jpg',
      'thumbnail-004.jpg',
    ]);
    expect(part.finish).toEqual({ type: 'list', seconds: [7.5, 22.5, 37.5, 52.5] });
    expect(plan.runs).toEqual([]);
    expect(plan.stills.map(({ inputs }) => inputs[0]?.seek)).toEqual([7.5, 22.5, 37.5, 52.5]);
  });

  it('at moments of a list are those very frames', () => {
    const { part, plan } = many({ at: [0, '50%', 600] });
    expect(part.finish).toEqual({ type: 'list', seconds: [0, 30, 59.8] });
    expect(plan.stills[1]?.graph).toBe('[0:0]setsar=1,format=yuv420p,trim=end_frame=1,format=yuvj420p[v0]');
    expect(part.decisions).toContain('taken from the end: the source is 60.0 s long');
  });

  it('hold no choice of frames in memory where they share a decode', () => {
    const source = sourceOf(probeOf({ codec: 'hevc' }));
    const { part } = many({ count: 100 }, source);
    const video = transcode.plan(transcode.params.parse({ type: 'transcode', height: 360 }), source);
    const { runs, stills } = planRuns({ thumbs: part, video }, source);
    expect(stills).toEqual([]);
    expect(runs).toHaveLength(1);
    expect(runs[0]?.graph).not.toContain('thumbnail=');
    expect(runs[0]?.graph?.match(/select='not/g)).toHaveLength(100);
    // The way out for a source that ends before, and then the frame itself over it.
    const thumb = runs[0]?.outputs.find(({ name }) => name === 'thumbs');
    expect(thumb?.options.join(' ')).toContain('-frames:v:0 2 ');
  });

  it.each([
    [{ count: 1 }, 'count'],
    [{ count: 101 }, 'count'],
    [{ count: 5, at: 3 }, 'count'],
    [{ at: [] }, 'at'],
    [{ at: Array.from({ length: 51 }, () => 1) }, 'at'],
    [{ at: ['best'] }, 'at'],
    [{ at: 'worst' }, 'at'],
  ])('of %j are refused at %s', (asked, field) => {
    const result = thumbnail.params.safeParse({ type: 'thumbnail', ...asked });
    expect(result.error?.issues.map(({ path }) => path[0])).toContain(field);
  });
});

describe('the best frame', () => {
  const best = thumbnail.params.parse({ type: 'thumbnail', at: 'best' });
  const finding = (found: unknown): Source =>
    sourceOf(probeOf(), { findings: { get: () => found } as unknown as Source['findings'] });

  it('is looked for before anything is planned', () => {
    expect(thumbnail.analyses?.(best, sourceOf())).toEqual([{ kind: 'bestFrame', video: 0, seconds: 60 }]);
    expect(thumbnail.analyses?.(thumbnail.params.parse({ type: 'thumbnail' }), sourceOf())).toEqual([]);
    const camcorder = sourceOf(probeOf({ fieldOrderKnown: false, codec: 'mpeg2video' }));
    expect(thumbnail.analyses?.(best, camcorder).map(({ kind }) => kind)).toEqual([
      'interlacing',
      'bestFrame',
    ]);
  });

  it('is taken where it was found', () => {
    const { run, part } = planned({ at: 'best' }, finding({ at: 42.5, candidates: 37 }));
    expect(run.inputs[0]?.seek).toBeCloseTo(42.498, 6);
    expect(run.graph).toContain('trim=end_frame=1');
    expect(part.decisions[0]).toBe('taken at 42.50 s: the best of 37 frames from all over the video');
  });

  it.each([
    [null, 'all frames that were looked at are blank'],
    [undefined, 'the frames could not be compared'],
  ])('that was not found (%j) is one a quarter into the video', (found, why) => {
    const { run, part } = planned({ at: 'best' }, finding(found));
    expect(run.inputs[0]?.seek).toBe(15);
    expect(part.decisions).toContain(`taken a quarter into the video: ${why}`);
  });
});
