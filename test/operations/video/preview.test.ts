import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { planRuns } from '../../../src/operations/video/plan.ts';
import { preview } from '../../../src/operations/video/preview.ts';
import type { Source } from '../../../src/operations/video-operation.ts';
import { probeOf, sourceOf } from './sources.ts';

type Asked = Omit<z.input<typeof preview.params>, 'type'>;

function planned(asked: Asked = {}, source: Source = sourceOf()) {
  const part = preview.plan(preview.params.parse({ type: 'preview', ...asked }), source);
  const [run] = planRuns({ out: part }, source).runs;
  return { part, run, piece: part.pieces[0], options: run?.outputs[0]?.options.join(' ') ?? '' };
}

describe('a preview', () => {
  it('seeks to the middle of equal parts and joins them', () => {
    const { run, piece } = planned({ moments: 3, secondsEach: 2 });
    expect(run?.inputs.map(({ seek, seconds }) => [seek, seconds])).toEqual([
      [9, 2],
      [29, 2],
      [49, 2],
    ]);
    const each = 'setpts=PTS-STARTPTS,fps=12,scale=320:180,setsar=1,format=yuv420p,setpts=PTS-STARTPTS';
    expect(run?.graph).toBe(
      `[0:0]${each}[m0];[1:0]${each}[m1];[2:0]${each}[m2];[m0][m1][m2]concat=n=3:v=1:a=0[v]`,
    );
    expect(piece?.expects).toMatchObject({
      durationSeconds: 6,
      video: { codec: 'webp', size: { width: 320, height: 180 } },
    });
  });

  it.each([
    [{}, '-c:v:0 libwebp_anim -quality:v:0 60', '-loop 0 -f webp', 'image/webp'],
    [{ loop: false }, '-c:v:0 libwebp_anim', '-loop 1 -f webp', 'image/webp'],
    [{ format: 'gif' }, '-c:v:0 gif', '-loop 0 -f gif', 'image/gif'],
    [{ format: 'gif', loop: 'false' }, '-c:v:0 gif', '-loop -1 -f gif', 'image/gif'],
    [{ format: 'mp4' }, '-c:v:0 libx264', '-movflags +faststart -f mp4', 'video/mp4'],
  ] as const)('%j gives %s', (asked, encoder, muxer, mediaType) => {
    const { options, piece } = planned(asked);
    expect(options).toContain(encoder);
    expect(options.endsWith(muxer)).toBe(true);
    expect(options.match(/-map /g)).toHaveLength(1);
    expect(piece?.mediaType).toBe(mediaType);
  });

  it('as GIF has one palette, or one for each frame where all of them would not fit into memory', () => {
    expect(planned({ format: 'gif' }).run?.graph).toContain(
      'concat=n=5:v=1:a=0,split[f][p];[p]palettegen=stats_mode=full[c];[f][c]paletteuse=dither=bayer:bayer_scale=3[v]',
    );
    const tall = sourceOf(probeOf({ width: 1080, height: 3840 }));
    const large = planned({ format: 'gif', width: 640, fps: 30, moments: 15, secondsEach: 2 }, tall);
    expect(large.run?.graph).toContain('palettegen=stats_mode=single');
    expect(large.part.decisions).toContain('a palette of 256 colours for each frame');
  });

  it('of a short source is all of it, once', () => {
    const short = sourceOf(probeOf({ durationSeconds: 4 }, {}, { durationSeconds: 4 }));
    const { run, piece, part } = planned({}, short);
    expect(run?.inputs.map(({ seek, seconds }) => [seek, seconds])).toEqual([[0, null]]);
    expect(piece?.expects.durationSeconds).toBe(4);
    expect(part.decisions).toContain('the whole video: it is no longer than the preview may be');
  });

  it('of a source that does not say how long it is comes from its beginning', () => {
    const unknown = sourceOf(probeOf({ durationSeconds: null }, {}, { durationSeconds: null }));
    expect(planned({ moments: 2 }, unknown).run?.inputs.map(({ seconds }) => seconds)).toEqual([2]);
  });

  it('never reads past the end', () => {
    const source = sourceOf(probeOf({ durationSeconds: 20.1 }, {}, { durationSeconds: 20.1 }));
    for (const { seek, seconds } of planned({ moments: 20, secondsEach: 1 }, source).run?.inputs ?? []) {
      expect(seek + (seconds ?? 0)).toBeLessThanOrEqual(20.1);
    }
  });

  it('has fewer moments where each decoder needs much memory, and says so', () => {
    const { run, part } = planned({ moments: 20 }, sourceOf(probeOf({ width: 7680, height: 4320 })));
    expect(run?.inputs).toHaveLength(1);
    expect(part.decisions.join()).toContain('1 moments instead of 20');
  });

  it('has no more frames than the source', () => {
    expect(planned({ fps: 30 }, sourceOf(probeOf({ fps: 10 }))).run?.graph).toContain('fps=10,');
  });

  it.each([
    [{ moments: 0 }, 'moments'],
    [{ moments: 21 }, 'moments'],
    [{ moments: 20, secondsEach: 2 }, 'secondsEach'],
    [{ width: 641 }, 'width'],
    [{ fps: 31 }, 'fps'],
    [{ format: 'avif' }, 'format'],
  ])('%j is refused at %s', (asked, field) => {
    const result = preview.params.safeParse({ type: 'preview', ...asked });
    expect(result.error?.issues.map(({ path }) => path[0])).toContain(field);
  });

  it('needs a picture', () => {
    expect(() => planned({}, sourceOf(probeOf(null)))).toThrow(
      expect.objectContaining({ code: 'stream_missing' }),
    );
  });
});
