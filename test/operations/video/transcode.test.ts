import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { planRuns } from '../../../src/operations/video/plan.ts';
import { transcode } from '../../../src/operations/video/transcode.ts';
import type { Source } from '../../../src/operations/video-operation.ts';
import { probeOf, sourceOf } from './sources.ts';

type Asked = Omit<z.input<typeof transcode.params>, 'type'>;

function planned(asked: Asked, source: Source = sourceOf()) {
  const part = transcode.plan(transcode.params.parse({ type: 'transcode', ...asked }), source);
  const run = planRuns({ video: part }, source).runs[0];
  if (run === undefined) throw new Error('no run was planned');
  return { part, run, options: run.outputs[0]?.options.join(' ') ?? '' };
}

const hevc = sourceOf(probeOf({ codec: 'hevc' }));

describe('what comes out', () => {
  it('is H.264 and AAC in an MP4 that can be played while it loads', () => {
    const { options, run, part } = planned({ encode: 'always' });
    expect(run.graph).toBe('[0:0]setsar=1,format=yuv420p[v0]');
    expect(options).toBe(
      '-map [v0] -map 0:1 -sn -dn -map_metadata -1 -map_metadata:s -1 -map_chapters -1 ' +
        '-c:v:0 libx264 -preset:v:0 medium -crf:v:0 23 -profile:v:0 high -pix_fmt:v:0 yuv420p -fps_mode:v:0 vfr ' +
        '-filter:a:0 aresample=async=1:first_pts=0 -c:a:0 aac -b:a:0 128k -ac:a:0 2 -ar:a:0 48000 ' +
        `-max_muxing_queue_size 1024 -fs ${part.pieces[0]?.maxBytes} -movflags +faststart -f mp4`,
    );
    expect(part.pieces[0]?.expects).toEqual({
      kind: 'clip',
      video: { codec: 'h264', size: { width: 1920, height: 1080 } },
      audio: { codec: 'aac' },
      durationSeconds: 60,
      durationIsExact: true,
    });
  });

  it('is VP9 and Opus in a WebM', () => {
    const { options, part } = planned({ format: 'webm' });
    expect(options).toContain('-c:v:0 libvpx-vp9 -deadline:v:0 good -cpu-used:v:0 4 -row-mt:v:0 1');
    expect(options).toContain('-crf:v:0 31 -b:v:0 0');
    expect(options).toContain('-c:a:0 libopus -b:a:0 96k');
    expect(options).toMatch(/-f webm$/);
    expect(part.encoders).toEqual(['libvpx-vp9', 'libopus']);
  });

  it('is a copy, without the SEI messages that cameras write places into, where the source is web-ready', () => {
    const { options, run, part } = planned({});
    expect(run.graph).toBeNull();
    expect(options).toContain('-map 0:0 -map 0:1');
    expect(options).toContain('-c:v:0 copy -bsf:v:0 filter_units=remove_types=6 -c:a:0 copy');
    expect(options).toContain('-map_metadata -1 -map_metadata:s -1 -map_chapters -1');
    expect(part.encoders).toEqual([]);
    expect(part.decisions).toEqual([
      'picture copied: H.264 High, yuv420p, 5000 kb/s is web-ready',
      'sound copied: AAC 128 kb/s, stereo is web-ready',
    ]);
  });

  it('is encoded when a copy was tried and came out broken', () => {
    const { part } = planned({}, sourceOf(probeOf(), { mayCopy: false }));
    expect(part.encoders).toEqual(['libx264', 'aac']);
    expect(part.decisions[0]).toBe('picture encoded: a copy of it did not pass its check');
  });

  it('has the copied sound of a source whose picture is encoded', () => {
    const { options, part } = planned({}, hevc);
    expect(options).toContain('-c:v:0 libx264');
    expect(options).toContain('-c:a:0 copy');
    expect(part.decisions).toEqual([
      'picture encoded: it is HEVC, not H.264',
      'sound copied: AAC 128 kb/s, stereo is web-ready',
    ]);
  });
});

describe('parameters', () => {
  it.each([
    [{ quality: 1 }, '-crf:v:0 48'],
    [{ quality: 75 }, '-crf:v:0 23'],
    [{ quality: 100 }, '-crf:v:0 15'],
    [{ crf: 28 }, '-crf:v:0 28'],
    [{ format: 'webm', quality: 100 }, '-crf:v:0 21'],
    [{ format: 'webm', quality: 1 }, '-crf:v:0 62'],
    [{ effort: 'fast' }, '-preset:v:0 veryfast'],
    [{ effort: 'small' }, '-preset:v:0 slow'],
    [{ format: 'webm', effort: 'fast' }, '-cpu-used:v:0 5'],
    [{ maxBitrate: 800 }, '-maxrate:v:0 800k -bufsize:v:0 1600k'],
    [{ format: 'webm', maxBitrate: 800 }, '-b:v:0 800k'],
  ] as const)('%j gives %s', (asked, expected) => {
    expect(planned({ ...asked, encode: 'always' }).options).toContain(expected);
  });

  it.each([
    [{ height: 720 }, 'scale=1280:720,setsar=1,format=yuv420p'],
    [{ width: 480, height: 480, fit: 'cover' }, 'scale=854:480,setsar=1,format=yuv420p,crop=480:480'],
    [
      { width: 480, height: 480, fit: 'contain' },
      'scale=480:270,setsar=1,format=yuv420p,pad=480:480:-1:-1:black',
    ],
    [{ fps: 24 }, 'fps=24,setsar=1,format=yuv420p'],
  ] as const)('%j gives the filters %s', (asked, filters) => {
    expect(planned(asked).run.graph).toBe(`[0:0]${filters}[v0]`);
  });

  it('fps is a cap: a source that has fewer keeps them', () => {
    expect(planned({ fps: 60 }).run.graph).toBeNull();
    expect(planned({ fps: 30 }, sourceOf(probeOf({ fps: 30.01 }))).run.graph).toBeNull();
  });

  it('mute leaves the sound out', () => {
    const { part, options } = planned({ mute: true });
    expect(options).not.toContain('-map 0:1');
    expect(part.pieces[0]?.expects.audio).toBeNull();
    expect(part.decisions).toContain('no sound: mute was asked for');
  });

  it('start and end cut by a seek of the input', () => {
    const { run, part } = planned({ start: 10.25, end: 20 });
    expect(run.inputs[0]?.seek).toBe(10.25);
    expect(run.inputs[0]?.seconds).toBe(9.75);
    expect(part.pieces[0]?.expects.durationSeconds).toBe(9.75);
    expect(planned({ start: 50, end: 100 }).part.pieces[0]?.expects.durationSeconds).toBe(10);
    expect(planned({ end: 0.5 }).run.inputs[0]?.seek).toBe(0);
  });

  it('a start past the end is refused', () => {
    expect(() => planned({ start: 61 })).toThrow(
      expect.objectContaining({ code: 'invalid_request', message: expect.stringContaining('60.0 s') }),
    );
  });

  it('a larger box than the picture does not enlarge it, and says so', () => {
    const { part } = planned({ height: 2160 }, hevc);
    expect(part.decisions).toContain('not enlarged: the source is 1920×1080');
    expect(part.pieces[0]?.expects.video?.size).toEqual({ width: 1920, height: 1080 });
  });
});

describe('sources', () => {
  it('without sound give a video without sound', () => {
    const { part, options } = planned({ height: 720 }, sourceOf(probeOf({}, null)));
    expect(part.pieces[0]?.expects.audio).toBeNull();
    expect(options).not.toContain(':a:');
    expect(part.decisions).toContain('no sound: the source has none');
  });

  it('without a picture are refused', () => {
    expect(() => planned({}, sourceOf(probeOf(null)))).toThrow(
      expect.objectContaining({ code: 'stream_missing' }),
    );
    const cover = probeOf({ attachedPicture: true, codec: 'mjpeg' });
    expect(() => planned({}, sourceOf(cover))).toThrow(expect.objectContaining({ code: 'stream_missing' }));
  });

  it('with a cover before the video: the video is taken', () => {
    const probe = probeOf();
    const [stream] = probe.video;
    if (stream === undefined) throw new Error('no stream');
    const cover = { ...stream, index: 0, attachedPicture: true };
    const source = sourceOf({ ...probe, video: [cover, { ...stream, index: 2, codec: 'hevc' }] });
    expect(planned({}, source).run.graph).toBe('[0:2]setsar=1,format=yuv420p[v0]');
  });

  it.each([
    [1, '64k', '1'],
    [2, '128k', '2'],
    [6, '128k', '2'],
  ])('of %i channels get %s', (channels, bits, out) => {
    const { options } = planned({}, sourceOf(probeOf({}, { channels, codec: 'ac3' })));
    expect(options).toContain(`-c:a:0 aac -b:a:0 ${bits} -ac:a:0 ${out} -ar:a:0 48000`);
  });

  it('that are turned are planned upright', () => {
    const { part, run } = planned({ height: 640 }, sourceOf(probeOf({ rotation: 270 })));
    expect(part.pieces[0]?.expects.video?.size).toEqual({ width: 360, height: 640 });
    expect(run.graph).toContain('scale=360:640');
  });

  it('with pixels that are not square get square ones', () => {
    const pal = probeOf({ width: 720, height: 576, pixelAspect: 64 / 45 });
    const { run, part } = planned({}, sourceOf(pal));
    expect(run.graph).toBe('[0:0]scale=1024:576,setsar=1,format=yuv420p[v0]');
    expect(part.decisions).toContain('pixels made square: the source is anamorphic');
  });

  it('of odd sizes lose a line of pixels and are not scaled', () => {
    const odd = probeOf({ codec: 'hevc', width: 853, height: 480 });
    expect(planned({}, sourceOf(odd)).run.graph).toBe('[0:0]crop=852:480:0:0,setsar=1,format=yuv420p[v0]');
    const pixel = probeOf({ codec: 'gif', width: 1, height: 1 });
    expect(planned({}, sourceOf(pixel)).run.graph).toContain('scale=2:2');
  });

  it('that are interlaced are deinterlaced first', () => {
    const interlaced = sourceOf(probeOf({ interlaced: true }));
    expect(planned({ height: 720 }, interlaced).run.graph).toBe(
      '[0:0]bwdif=mode=send_frame,scale=1280:720,setsar=1,format=yuv420p[v0]',
    );
    const poor = planned({ height: 720 }, { ...interlaced, filters: new Set() });
    expect(poor.run.graph).not.toContain('bwdif');
    expect(poor.part.decisions).toContain('left interlaced: this FFmpeg has no bwdif filter');
  });

  it('in HDR are mapped to SDR, after they were scaled', () => {
    const hdr = sourceOf(
      probeOf({ transfer: 'smpte2084', primaries: 'bt2020', matrix: 'bt2020nc', pixelFormat: 'yuv420p10le' }),
    );
    const { run, part } = planned({ height: 720 }, hdr);
    expect(run.graph).toMatch(/^\[0:0\]scale=1280:720,setsar=1,zscale=tin=smpte2084:min=2020_ncl:pin=2020/);
    expect(run.graph).toContain('tonemap=hable:desat=0');
    expect(part.decisions).toContain('HDR10 mapped to SDR, which every screen shows');
    const poor = planned({ height: 720 }, { ...hdr, filters: new Set(['tonemap']) });
    expect(poor.run.graph).not.toContain('tonemap');
    expect(poor.part.decisions.join()).toMatch(/HDR10 colours left as they are.*lacks zscale/);
  });

  it('that are GIFs get a steady beat, and a frame that stays for minutes is not made into thousands', () => {
    const gif = (fps: number, baseFps: number) =>
      planned(
        {},
        sourceOf(
          probeOf({ codec: 'gif', pixelFormat: 'bgra', fps, baseFps }, null, {
            container: 'gif',
          }),
        ),
      ).run.graph;
    expect(gif(12, 12)).toContain('fps=12,');
    expect(gif(40, 100)).toContain('fps=50,');
    expect(gif(0.01, 100)).toContain('fps=0.1,');
  });

  it('whose streams do not say how long they are: the container does, and may be wrong', () => {
    const mkv = probeOf({ durationSeconds: null }, { durationSeconds: null }, { durationSeconds: 61 });
    expect(planned({}, sourceOf(mkv)).part.pieces[0]?.expects).toMatchObject({
      durationSeconds: 61,
      durationIsExact: false,
    });
    // Subtitles may be longer than what is seen and heard.
    expect(
      planned({}, sourceOf(probeOf({}, {}, { durationSeconds: 90 }))).part.pieces[0]?.expects,
    ).toMatchObject({
      durationSeconds: 60,
      durationIsExact: true,
    });
  });
});
