import { describe, expect, it } from 'vitest';
import { concat } from '../../../src/operations/video/concat.ts';
import { rateOf } from '../../../src/operations/video/join.ts';
import type { MediaProbe } from '../../../src/operations/media-probe.ts';
import type { OutputPart } from '../../../src/operations/video-operation.ts';
import type { Problem } from '../../../src/problems.ts';
import { h264, probeOf, sourceOf } from './sources.ts';

const clip = probeOf(
  { index: 1, width: 640, height: 480, fps: 15, baseFps: 15, durationSeconds: 2 },
  { index: 0, channels: 6, layout: '5.1', durationSeconds: 2 },
  { durationSeconds: 2 },
);
const mute = probeOf({ width: 180, height: 320, durationSeconds: 1 }, null, { durationSeconds: 1 });

function plan(
  params: Record<string, unknown>,
  assets: Record<string, MediaProbe> = { 'upload:clip': clip, 'upload:mute': mute },
  probe = probeOf(),
): OutputPart {
  const found = Object.entries(assets).map(
    ([reference, each]) => [reference, { mediaType: 'video/mp4', probe: each }] as const,
  );
  return concat.plan(
    concat.params.parse({ type: 'concat', with: Object.keys(assets), ...params }),
    sourceOf(probe, { assets: new Map(found) }),
  );
}

describe('concat', () => {
  it('is one run with an input for each video, the source first', () => {
    const { own, pieces } = plan({ with: ['upload:mute', 'upload:clip', 'upload:mute'] });
    expect(own?.inputs.map(({ from }) => from)).toEqual([
      'source',
      'upload:mute',
      'upload:clip',
      'upload:mute',
    ]);
    expect(pieces).toHaveLength(1);
    expect(pieces[0]?.expects).toMatchObject({
      video: { codec: 'h264', size: { width: 1920, height: 1080 } },
      audio: { codec: 'aac' },
      durationSeconds: 64,
      durationIsExact: true,
    });
    expect(concat.assets?.(concat.params.parse({ type: 'concat', with: ['upload:a', 'upload:a'] }))).toEqual([
      'upload:a',
    ]);
  });

  it('brings all to the size and the rate of the first, each cut to whole frames', () => {
    const graph = plan({ height: 360 }).own?.graph.split(';') ?? [];
    expect(graph[0]).toBe(
      '[0:0]scale=640:360,setsar=1,format=yuv420p,fps=fps=30:start_time=0,tpad=stop=-1:stop_mode=clone,trim=end_frame=1800[v0]',
    );
    expect(graph[2]).toContain(
      '[1:1]scale=480:360,setsar=1,format=yuv420p,pad=640:360:-1:-1:black,fps=fps=30',
    );
    expect(graph[2]).toContain('trim=end_frame=60[v1]');
    expect(graph[4]).toContain('scale=202:360');
    expect(graph.at(-1)).toBe('[v0][a0][v1][a1][v2][a2]concat=n=3:v=1:a=1[v][a]');
  });

  it('makes stereo of all sound, and silence of the picture’s length where there is none', () => {
    const graph = plan({}).own?.graph.split(';') ?? [];
    expect(graph[1]).toMatch(
      /^\[0:1\]aresample=async=1:first_pts=0,aformat=.*,apad,atrim=end_sample=2880000\[a0\]$/,
    );
    expect(graph[3]).toContain('[1:0]aresample=async=1:first_pts=0:clev=0.707107');
    expect(graph[5]).toMatch(/^anullsrc=r=48000:cl=stereo,.*atrim=end_sample=48000\[a2\]$/);
  });

  it('has no sound where no source has any', () => {
    const { own, pieces } = plan({ with: ['upload:mute'] }, { 'upload:mute': mute }, mute);
    expect(own?.graph).toContain('concat=n=2:v=1:a=0[v]');
    expect(own?.graph).not.toContain('anullsrc');
    expect(pieces[0]?.streams).toHaveLength(1);
    expect(pieces[0]?.expects.audio).toBeNull();
  });

  it('holds the last picture for sound that goes on', () => {
    const longer = probeOf({ durationSeconds: 2 }, { durationSeconds: 5 });
    expect(plan({}, { 'upload:clip': longer }).own?.graph).toContain('trim=end_frame=150[v1]');
    const padded = probeOf({ durationSeconds: 2 }, { durationSeconds: 2.05 });
    expect(plan({}, { 'upload:clip': padded }).own?.graph).toContain('trim=end_frame=60[v1]');
  });

  it('mends each source by what it needs', () => {
    const broadcast = probeOf({ interlaced: true });
    const hdr = probeOf({ transfer: 'smpte2084', primaries: 'bt2020', matrix: 'bt2020nc' });
    const { own, decisions } = plan({}, { 'upload:a': broadcast, 'upload:b': hdr });
    const [first, , second, , third] = own?.graph.split(';') ?? [];
    expect(first).not.toMatch(/bwdif|tonemap/);
    expect(second).toContain('bwdif');
    expect(third).toContain('tonemap');
    expect(decisions.join()).toContain('HDR10 mapped to SDR');
  });

  it('does not pretend to know a length that nobody knows', () => {
    const endless = probeOf({ durationSeconds: null }, { durationSeconds: null }, { durationSeconds: null });
    const { own, pieces } = plan({}, { 'upload:clip': endless });
    expect(pieces[0]?.expects).toMatchObject({ durationSeconds: null, durationIsExact: false });
    expect(own?.graph.split(';')[2]).not.toContain('tpad');
  });

  it.each<[string, MediaProbe, string, string]>([
    ['a picture', mute, 'image/png', 'recipe_invalid'],
    ['sound alone', probeOf(null), 'audio/mpeg', 'stream_missing'],
  ])('refuses to join %s', (_what, probe, mediaType, code) => {
    const source = sourceOf(probeOf(), { assets: new Map([['upload:x', { mediaType, probe }]]) });
    let thrown: unknown;
    try {
      concat.plan(concat.params.parse({ type: 'concat', with: ['upload:x'] }), source);
    } catch (error) {
      thrown = error;
    }
    expect((thrown as Problem).code).toBe(code);
  });

  it.each([
    [{ with: [] }, 'with'],
    [{ with: Array.from({ length: 21 }, () => 'upload:a') }, 'with'],
    [{ with: ['/etc/passwd'] }, 'with.0'],
    [{ with: ['upload:a|b'] }, 'with.0'],
    [{ with: ['upload:a'], fit: 'cover', width: 100 }, 'fit'],
    [{ with: ['upload:a'], format: 'webm', codec: 'h264' }, 'codec'],
    [{ with: ['upload:a'], quality: 50, crf: 20 }, 'crf'],
    [{ with: ['upload:a'], start: 2 }, ''],
  ])('refuses %j at %s', (params, field) => {
    const { error } = concat.params.safeParse({ type: 'concat', ...params });
    expect(error?.issues.map(({ path }) => path.join('.'))).toContain(field);
  });
});

describe('the rate', () => {
  it.each([
    [25, 25, '25'],
    [30_000 / 1001, 30_000 / 1001, '30000/1001'],
    [24_000 / 1001, 24_000 / 1001, '24000/1001'],
    [29.87, 30, '30'],
    [12.345678, 90, '12.346'],
    [120, 120, '60'],
    [null, null, '30'],
    [null, 24, '24'],
  ])('of %s and %s is %s', (fps, baseFps, text) => {
    expect(rateOf({ ...h264, fps, baseFps }).text).toBe(text);
  });
});
