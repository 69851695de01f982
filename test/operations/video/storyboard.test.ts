import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { storyboardMap } from '../../../src/engines/finish/storyboard.ts';
import { planRuns } from '../../../src/operations/video/plan.ts';
import { storyboard } from '../../../src/operations/video/storyboard.ts';
import { transcode } from '../../../src/operations/video/transcode.ts';
import type { Source } from '../../../src/operations/video-operation.ts';
import { probeOf, sourceOf } from './sources.ts';

type Asked = Omit<z.input<typeof storyboard.params>, 'type'>;

const lasting = (seconds: number | null): Source =>
  sourceOf(probeOf({ durationSeconds: seconds }, {}, { durationSeconds: seconds }));
const withKeyframes = (longestSeconds: number | null): Source =>
  sourceOf(probeOf(), { findings: { get: () => ({ longestSeconds }) } as unknown as Source['findings'] });

function planned(asked: Asked = {}, source: Source = sourceOf()) {
  const part = storyboard.plan(storyboard.params.parse({ type: 'storyboard', ...asked }), source);
  const { finish } = part;
  if (finish?.type !== 'storyboard') throw new Error('no storyboard was planned');
  const [run] = planRuns({ out: part }, source).runs;
  return { part, finish, piece: part.pieces[0], run, options: run?.outputs[0]?.options.join(' ') ?? '' };
}

describe('a storyboard', () => {
  it('samples first and scales then, one tile for each step', () => {
    const { run, options, piece } = planned({ everySeconds: 5, columns: 4, rows: 2 });
    expect(run?.graph).toBe(
      '[0:0]fps=fps=0.2:start_time=0:round=up,scale=160:90,setsar=1,format=yuv420p,tile=4x2,format=yuvj420p[v0]',
    );
    expect(run?.outputs[0]?.file).toBe('0/sprite-%03d.jpg');
    expect(options).toMatch(
      /-c:v:0 mjpeg -q:v:0 7 -fps_mode:v:0 passthrough -frames:v:0 100 .*-start_number 1 -f image2$/,
    );
    expect(piece?.expects).toMatchObject({
      kind: 'stills',
      video: { codec: 'mjpeg', size: { width: 640, height: 180 } },
    });
  });

  it.each([
    [6, 1],
    [100, 1],
    [101, 2],
    [3600, 60],
    [7200, 120],
    [100_000, 1000],
    [null, 10],
  ])('of %j s has a picture every %d s', (seconds, every) => {
    expect(planned({}, lasting(seconds)).finish.everySeconds).toBe(every);
  });

  it('has no more cells than pictures, and never more pictures than the most', () => {
    expect(planned({}, lasting(6)).finish).toMatchObject({ columns: 6, rows: 1 });
    expect(planned({}, lasting(25)).finish).toMatchObject({ columns: 10, rows: 3 });
    const { finish, part } = planned({ everySeconds: 0.2 }, lasting(14_400));
    expect(14_400 / finish.everySeconds).toBeLessThanOrEqual(10_000);
    expect(part.decisions.join()).toContain(
      'a picture every 1.44 s instead of 0.2: 10000 of them are the most',
    );
    const small = planned({ everySeconds: 1, columns: 2, rows: 2 }, lasting(14_400));
    expect(14_400 / small.finish.everySeconds).toBeLessThanOrEqual(400);
  });

  it('has sprites that every decoder takes', () => {
    const portrait = sourceOf(probeOf({ width: 360, height: 3600, durationSeconds: 1000 }));
    const { finish, part } = planned({ width: 360, columns: 20, rows: 20, everySeconds: 1 }, portrait);
    expect(finish.tile).toEqual({ width: 360, height: 3600 });
    expect(finish.columns * 360 * finish.rows * 3600).toBeLessThanOrEqual(33_177_600);
    expect(finish.rows * 3600).toBeLessThanOrEqual(16_383);
    expect(part.decisions).toContain(`sprites of ${finish.columns} × ${finish.rows} pictures`);
  });

  it.each([
    [0.4, true],
    [0.5, true],
    [0.6, false],
    [null, false],
  ])('whose keyframes lie %j s apart decodes nothing else: %s', (apart, suffice) => {
    const { run, part, piece } = planned({ everySeconds: 1 }, withKeyframes(apart));
    expect(piece?.keyframesSuffice).toBe(suffice);
    expect(run?.inputs[0]?.options.join(' ').includes('nokey')).toBe(suffice);
    expect(storyboard.analyses?.(storyboard.params.parse({ type: 'storyboard' }), sourceOf())).toEqual([
      { kind: 'keyframes', video: 0 },
    ]);
    expect(part.window).toEqual({ start: 0, end: null });
  });

  it('takes its pictures from the decode that another output needs, all of it then', () => {
    const source = withKeyframes(0.1);
    const video = transcode.plan(transcode.params.parse({ type: 'transcode', height: 360 }), source);
    const { runs } = planRuns({ video, board: planned({}, source).part }, source);
    expect(runs).toHaveLength(1);
    expect(runs[0]?.inputs[0]?.options).toEqual([]);
    expect(runs[0]?.expectedSeconds).toBe(60);
  });

  it('needs a picture', () => {
    expect(() => planned({}, sourceOf(probeOf(null)))).toThrow(
      expect.objectContaining({ code: 'stream_missing' }),
    );
  });

  it.each(['everySeconds', 'width', 'columns', 'rows'])('bounds %s', (field) => {
    for (const value of [0, 100_000, '1e9']) {
      expect(storyboard.params.safeParse({ type: 'storyboard', [field]: value }).success).toBe(false);
    }
  });
});

describe('its map', () => {
  const grid = { everySeconds: 2.5, columns: 2, rows: 2, tile: { width: 160, height: 90 } };

  it('leads from sprite to sprite, row by row, and ends with the video', () => {
    expect(
      storyboardMap({ ...grid, durationSeconds: 3601.2, everySeconds: 720 }, [
        'sprite-001.jpg',
        'sprite-002.jpg',
      ]),
    ).toBe(
      `WEBVTT

00:00:00.000 --> 00:12:00.000
sprite-001.jpg#xywh=0,0,160,90

00:12:00.000 --> 00:24:00.000
sprite-001.jpg#xywh=160,0,160,90

00:24:00.000 --> 00:36:00.000
sprite-001.jpg#xywh=0,90,160,90

00:36:00.000 --> 00:48:00.000
sprite-001.jpg#xywh=160,90,160,90

00:48:00.000 --> 01:00:00.000
sprite-002.jpg#xywh=0,0,160,90

01:00:00.000 --> 01:00:01.200
sprite-002.jpg#xywh=160,0,160,90
`,
    );
  });

  it('names no picture that is not there', () => {
    const text = storyboardMap({ ...grid, durationSeconds: 100 }, ['sprite-001.jpg']);
    expect(text.match(/xywh/g)).toHaveLength(4);
    expect(text).toContain('00:00:07.500 --> 00:01:40.000');
  });

  it('of an unknown length tells of every cell', () => {
    const text = storyboardMap({ ...grid, durationSeconds: null }, ['sprite-001.jpg']);
    expect(text.match(/xywh/g)).toHaveLength(4);
    expect(text).toContain('00:00:07.500 --> 00:00:10.000');
  });
});
