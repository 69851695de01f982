// The arguments that each wish of a transcode gives, beside size and quality, which transcode.test.ts holds.

import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { NO_FINDINGS } from '../../../src/operations/video/analysis.ts';
import type { Findings } from '../../../src/operations/video/analysis.ts';
import { planRuns } from '../../../src/operations/video/plan.ts';
import { transcode } from '../../../src/operations/video/transcode.ts';
import type { Source } from '../../../src/operations/video-operation.ts';
import { aac, probeOf, sourceOf } from './sources.ts';

type Asked = Omit<z.input<typeof transcode.params>, 'type'>;

function planned(asked: Asked, source: Source = sourceOf()) {
  const params = transcode.params.parse({ type: 'transcode', ...asked });
  const part = transcode.plan(params, source);
  const plan = planRuns({ video: part }, source);
  const [run] = plan.runs;
  if (run === undefined) throw new Error('no run was planned');
  const options = run.outputs.map((output) => output.options.join(' '));
  return { params, part, plan, run, options: options[0] ?? '', all: options };
}

/** Findings that answer everything alike. */
const finding = (answer: unknown): Findings => ({ get: () => answer as never });

describe('codec', () => {
  it.each([
    [
      { codec: 'hevc' },
      '-c:v:0 libx265 -preset:v:0 medium -crf:v:0 26 -profile:v:0 main -pix_fmt:v:0 yuv420p -tag:v:0 hvc1 -x265-params:v:0 log-level=error',
    ],
    [{ codec: 'hevc', crf: 30, effort: 'fast' }, '-preset:v:0 veryfast -crf:v:0 30'],
    [{ codec: 'av1' }, '-c:v:0 libsvtav1 -preset:v:0 8 -crf:v:0 33 -pix_fmt:v:0 yuv420p'],
    [{ codec: 'av1', quality: 100, effort: 'small' }, '-preset:v:0 5 -crf:v:0 22'],
    [{ codec: 'av1', quality: 1, maxBitrate: 900 }, '-crf:v:0 63 -maxrate:v:0 900k -bufsize:v:0 1800k'],
    [{ format: 'webm', codec: 'av1' }, '-c:v:0 libsvtav1'],
    [{ format: 'webm', codec: 'vp9' }, '-c:v:0 libvpx-vp9'],
  ] as const)('%j gives %s', (asked, expected) => {
    const { options, part } = planned({ ...asked, encode: 'always' });
    expect(options).toContain(expected);
    const { format = 'mp4', codec } = asked as { format?: string; codec: string };
    expect(options).toContain(format === 'mp4' ? '-c:a:0 aac' : '-c:a:0 libopus');
    expect(part.pieces[0]?.expects.video?.codec).toBe(codec);
  });

  it('that the source has is copied, with the tag that Apple wants', () => {
    const hevc = sourceOf(probeOf({ codec: 'hevc', profile: 'Main', level: 120 }));
    expect(planned({ codec: 'hevc' }, hevc).options).toContain(
      '-c:v:0 copy -bsf:v:0 filter_units=remove_types=39|40 -tag:v:0 hvc1',
    );
    expect(planned({}, hevc).options).toContain('-c:v:0 libx264');
    expect(planned({ codec: 'hevc', encode: 'always' }, hevc).options).toContain('-c:v:0 libx265');
  });
});

describe('rotate and flip', () => {
  it.each([
    [{ rotate: 90 }, 'transpose=clock', { width: 1080, height: 1920 }],
    [{ rotate: 180 }, 'hflip,vflip', { width: 1920, height: 1080 }],
    [{ rotate: 270 }, 'transpose=cclock', { width: 1080, height: 1920 }],
    [{ flip: 'horizontal' }, 'hflip', { width: 1920, height: 1080 }],
    [{ rotate: 90, flip: 'vertical' }, 'transpose=clock,vflip', { width: 1080, height: 1920 }],
  ] as const)('%j gives %s', (asked, filters, size) => {
    const { run, part } = planned(asked);
    expect(run.graph).toBe(`[0:0]setsar=1,format=yuv420p,${filters}[v0]`);
    expect(part.pieces[0]?.expects.video?.size).toEqual(size);
  });

  it('the box holds the turned picture; it is scaled before it is turned', () => {
    expect(planned({ rotate: 90, height: 640 }).run.graph).toBe(
      '[0:0]scale=640:360,setsar=1,format=yuv420p,transpose=clock[v0]',
    );
    const { run, part } = planned({ rotate: 270, width: 400, height: 400, fit: 'contain' });
    expect(run.graph).toBe(
      '[0:0]scale=400:226,setsar=1,format=yuv420p,transpose=cclock,pad=400:400:-1:-1:black[v0]',
    );
    expect(part.decisions).not.toContain('not enlarged: the source is 1920×1080');
    expect(planned({ rotate: 90, height: 4000 }).part.decisions).toContain(
      'not enlarged: the source is 1080×1920',
    );
  });
});

describe('watermark', () => {
  const logo = { mediaType: 'image/png', probe: probeOf({ codec: 'png', width: 400, height: 100 }, null) };
  const marked = (more: object = {}, video: object = {}) =>
    planned(
      { watermark: { image: 'upload:logo', ...more } },
      sourceOf(probeOf(video), { assets: new Map([['upload:logo', logo]]) }),
    );

  it('is an input of its own, laid over after all else', () => {
    const { run, params } = marked();
    expect(transcode.assets?.(params)).toEqual(['upload:logo']);
    expect(run.inputs.map(({ from }) => from)).toEqual(['source', 'upload:logo']);
    // 0.15 of 1920 wide; 0.03 of 1080 away from both edges.
    expect(run.graph).toBe(
      '[0:0]setsar=1,format=yuv420p[o0x0];' +
        '[1:v:0]scale=288:72:out_color_matrix=bt709:out_range=tv,format=yuva420p[m0x0];' +
        '[o0x0][m0x0]overlay=x=1600:y=976[v0]',
    );
  });

  it.each([
    [{ gravity: 'northwest' }, 'overlay=x=32:y=32'],
    [{ gravity: 'north' }, 'overlay=x=816:y=32'],
    [{ gravity: 'centre' }, 'overlay=x=816:y=504'],
    [{ gravity: 'bottom left', margin: 0 }, 'overlay=x=0:y=1008'],
    [{ gravity: 'east', width: 0.5 }, 'overlay=x=928:y=420'],
  ])('%j is %s', (more, place) => {
    expect(marked(more).run.graph).toContain(place);
  });

  it('may show through, and is never higher than the frame', () => {
    expect(marked({ opacity: 0.5 }).run.graph).toContain('format=yuva420p,lutyuv=a=val*0.500[m0x0]');
    expect(marked({ width: 1 }, { width: 1920, height: 240 }).run.graph).toContain('scale=960:240:');
  });

  it('is told of, with its place', () => {
    expect(marked({}).part.decisions).toContain('a watermark laid over, southeast');
    expect(marked({ gravity: 'north' }).part.decisions).toContain('a watermark laid over, north');
    expect(planned({}, sourceOf()).part.decisions.join()).not.toContain('watermark');
  });

  it('has the colours of the frames it lies on', () => {
    expect(marked({}, { matrix: null }).run.graph).toContain('out_color_matrix=bt709');
    expect(marked({}, { matrix: null, width: 640, height: 360 }).run.graph).toContain(
      'out_color_matrix=bt601',
    );
    expect(marked({}, { matrix: 'smpte170m' }).run.graph).toContain('out_color_matrix=bt601');
  });
});

describe('audio', () => {
  const source = sourceOf({
    ...probeOf(),
    audio: [
      { ...aac, index: 1, language: 'eng' },
      { ...aac, index: 2, language: 'ger', codec: 'ac3', channels: 6, layout: '5.1(side)' },
    ],
  });

  it.each([
    ['first', '-map 0:0 -map 0:1 -sn'],
    ['en', '-map 0:0 -map 0:1 -sn'],
    ['de', '-map 0:0 -map 0:2 -sn'],
    [2, '-map 0:0 -map 0:2 -sn'],
    ['all', '-map 0:0 -map 0:1 -map 0:2 -sn'],
  ] as const)('%s gives %s', (audio, expected) => {
    expect(planned({ audio }, source).options).toContain(expected);
  });

  it('of all tracks is decided for each, and says the language', () => {
    const { options, part } = planned({ audio: 'all' }, source);
    expect(options).toContain(
      '-c:a:0 copy -metadata:s:a:0 language=eng -disposition:a:0 default -filter:a:1 aresample=async=1:first_pts=0:clev=0.707107:slev=0.707107:lfe_mix_level=0:rematrix_maxval=1,aformat=channel_layouts=stereo -c:a:1 aac -b:a:1 128k -ac:a:1 2 -ar:a:1 48000 -metadata:s:a:1 language=ger -disposition:a:1 0',
    );
    expect(part.decisions.slice(1)).toEqual([
      'sound 1 (eng) copied: AAC 128 kb/s, stereo is web-ready',
      'sound 2 (ger) encoded to AAC 128 kb/s, stereo: it is AC-3, not AAC',
    ]);
  });

  it('of one track says its language too, copied or encoded', () => {
    for (const encode of ['auto', 'always'] as const) {
      expect(planned({ audio: 'en', encode }, source).options).toContain('-metadata:s:a:0 language=eng');
      expect(planned({ audio: 'de', encode }, source).options).toContain('-metadata:s:a:0 language=ger');
    }
    expect(planned({ audio: 'en' }, source).options).not.toContain('-disposition');
    expect(planned({}, sourceOf()).options).not.toContain('-metadata');
  });
});

describe('subtitles', () => {
  const subtitled = (...tracks: readonly [codec: string, language: string | null][]): Source =>
    sourceOf(
      probeOf(
        {},
        {},
        { subtitles: tracks.map(([codec, language], at) => ({ index: at + 2, codec, language })) },
      ),
    );

  it('that are kept are files of the same run', () => {
    const { all, part, plan } = planned(
      { subtitles: 'keep' },
      subtitled(['subrip', 'eng'], ['ass', 'eng'], ['mov_text', null]),
    );
    expect(plan.runs).toHaveLength(1);
    expect(part.pieces.map(({ file }) => file)).toEqual([
      'video.mp4',
      'subtitles.eng.vtt',
      'subtitles.2.vtt',
      'subtitles.3.vtt',
    ]);
    expect(all[1]).toContain('-map 0:2');
    expect(all[1]).toMatch(/-c:s:0 webvtt .*-f webvtt$/);
    expect(part.encoders).toEqual(['webvtt']);
  });

  it('that are kept are at most eight, and only text', () => {
    const many = Array.from({ length: 10 }, () => ['subrip', null] as [string, null]);
    const { part } = planned({ subtitles: 'keep' }, subtitled(...many, ['hdmv_pgs_subtitle', 'eng']));
    expect(part.pieces).toHaveLength(9);
    expect(part.decisions).toContain('2 tracks of subtitles left out: 8 is the most');
    expect(part.decisions).toContain('1 of the subtitles left out: they are pictures, not text');
  });

  it('that are burned in are written to a file of ours first, in the folder of the output', () => {
    const source = subtitled(['ass', 'eng'], ['subrip', 'ger']);
    const part = transcode.plan(
      transcode.params.parse({ type: 'transcode', subtitles: 'burn', subtitleTrack: 'de', start: 12.5 }),
      source,
    );
    const plan = planRuns(
      { other: transcode.plan(transcode.params.parse({ type: 'transcode' }), source), video: part },
      source,
    );
    expect(
      plan.preparations.map(({ outputs: [output] }) => [output?.file, output?.options.join(' ')]),
    ).toEqual([['1/burned.vtt', expect.stringMatching(/^-map 0:3 .*-c:s:0 webvtt .*-f webvtt$/)]]);
    expect(plan.runs.map(({ graph }) => graph).join()).toContain(
      'format=yuv420p,setpts=PTS+12.500/TB,subtitles=filename=1/burned.vtt,setpts=PTS-12.500/TB[v0]',
    );
  });

  it('that are pictures are laid over by FFmpeg itself, under a watermark', () => {
    const logo = { mediaType: 'image/png', probe: probeOf({ codec: 'png', width: 100, height: 100 }, null) };
    const source = { ...subtitled(['dvd_subtitle', 'eng']), assets: new Map([['upload:logo', logo]]) };
    const { run } = planned({ subtitles: 'burn', watermark: { image: 'upload:logo', width: 0.1 } }, source);
    expect(run.graph).toBe(
      '[0:0]setsar=1,format=yuv420p[o0x0];[0:2]scale=1920:1080[m0x0];[o0x0][m0x0]overlay=x=0:y=0[o0x1];' +
        '[1:v:0]scale=192:192:out_color_matrix=bt709:out_range=tv,format=yuva420p[m0x1];' +
        '[o0x1][m0x1]overlay=x=1696:y=856[v0]',
    );
  });

  it('that cannot be burned in are refused', () => {
    const burn = { subtitles: 'burn' } as const;
    expect(() => planned(burn, subtitled(['dvb_teletext', null]))).toThrow(
      expect.objectContaining({ code: 'encode_failed' }),
    );
    expect(() => planned(burn)).toThrow(expect.objectContaining({ code: 'stream_missing' }));
    expect(() => planned({ ...burn, subtitleTrack: 2 }, subtitled(['subrip', 'eng']))).toThrow(/1 \(eng\)/);
    expect(() => planned(burn, { ...subtitled(['subrip', 'eng']), filters: new Set() })).toThrow(
      expect.objectContaining({ code: 'encoder_missing' }),
    );
  });
});

describe('a named quality', () => {
  const source = sourceOf(probeOf({ matrix: 'bt709' }));
  const params = transcode.params.parse({
    type: 'transcode',
    codec: 'hevc',
    quality: 'high',
    height: 720,
    rotate: 90,
  });

  it('asks for the CRF of the picture as it will be encoded', () => {
    const [question] = transcode.analyses?.(params, source) ?? [];
    expect(question).toMatchObject({
      kind: 'quality',
      ssim: 0.98,
      vmaf: 93,
      crf: { min: 17, max: 31, first: 25 },
      window: { start: 0, end: null },
    });
    if (question?.kind !== 'quality') throw new Error('no question');
    const run = planRuns(
      { sample: { ...transcode.plan(params, source), pieces: [question.picture] } },
      source,
    ).runs[0];
    expect(run?.graph).toBe('[0:0]scale=720:406,setsar=1,format=yuv420p,transpose=clock[v0]');
    expect(run?.outputs[0]?.options.join(' ')).toContain('-c:v:0 libx265 -preset:v:0 medium -crf:v:0 25');
  });

  it('takes what was found, and says so', () => {
    const found = finding({ crf: 29, measure: 'ssim', reached: 0.98123, tries: 4 });
    const part = transcode.plan(params, { ...source, findings: found });
    expect(part.pieces[0]?.streams[0]?.options).toMatchObject({ crf: '29' });
    expect(part.decisions).toContain(
      'quality "high": CRF 29 reaches SSIM 0.9812 (wanted 0.98, 4 tries on samples)',
    );
  });

  it('asks the same question when the answer is looked up', () => {
    const [question] = transcode.analyses?.(params, source) ?? [];
    let asked: unknown;
    const findings: Findings = {
      get: (analysis) => {
        asked = analysis;
        return undefined;
      },
    };
    const part = transcode.plan(params, { ...source, findings });
    expect(JSON.stringify(asked)).toBe(JSON.stringify(question));
    expect(part.pieces[0]?.streams[0]?.options).toMatchObject({ crf: '25' });
    expect(part.decisions).toContain('quality "high": CRF 25, since it could not be measured');
  });

  it('that cannot be reached is told', () => {
    const found = finding({ crf: 17, measure: 'vmaf', reached: 91.234, tries: 1 });
    expect(transcode.plan(params, { ...source, findings: found }).decisions).toContain(
      'quality "high": CRF 17 comes nearest with VMAF 91.2 (wanted 93, one try on samples)',
    );
  });

  it.each([
    ['h264', 'visually-lossless', '18'],
    ['h264', 'economy', '28'],
    ['av1', 'high', '32'],
  ] as const)('of %s, %s begins at %s', (codec, quality, crf) => {
    expect(planned({ codec, quality }, source).options).toContain(`-crf:v:0 ${crf}`);
  });

  it('without a name asks nothing', () => {
    expect(transcode.analyses?.(transcode.params.parse({ type: 'transcode', quality: 80 }), source)).toEqual(
      [],
    );
    expect(transcode.analyses?.(params, sourceOf(probeOf(null)))).toEqual([]);
  });
});

describe('interlacing that the file does not tell of', () => {
  const source = sourceOf(probeOf({ codec: 'mpeg2video', fieldOrderKnown: false, width: 720, height: 576 }));
  const params = transcode.params.parse({ type: 'transcode' });

  it('is asked for where the codec may be interlaced', () => {
    expect(transcode.analyses?.(params, source)).toEqual([{ kind: 'interlacing', video: 0 }]);
    const analyses = (video: object) =>
      transcode.analyses?.(params, sourceOf(probeOf({ fieldOrderKnown: false, ...video })));
    expect(analyses({ codec: 'vp9' })).toEqual([]);
    expect(analyses({ codec: 'h264', width: 320, height: 240 })).toEqual([]);
    expect(analyses({ codec: 'h264', fieldOrderKnown: true })).toEqual([]);
  });

  it('decides when it is known, also against a copy', () => {
    const found = { ...source, findings: finding({ interlaced: true }) };
    const { run, part } = planned({}, found);
    expect(run.graph).toBe('[0:0]bwdif=mode=send_frame,setsar=1,format=yuv420p[v0]');
    expect(part.decisions).toContain('deinterlaced: the source is interlaced, as its frames show');
    const h264 = sourceOf(probeOf({ fieldOrderKnown: false }));
    expect(planned({}, h264).part.decisions[0]).toMatch(/^picture copied/);
    expect(planned({}, { ...h264, findings: finding({ interlaced: true }) }).part.decisions[0]).toBe(
      'picture encoded: it is interlaced',
    );
  });

  it('is taken for progressive otherwise', () => {
    expect(planned({}, { ...source, findings: NO_FINDINGS }).run.graph).toBe(
      '[0:0]setsar=1,format=yuv420p[v0]',
    );
    expect(planned({}, { ...source, findings: finding({ interlaced: false }) }).run.graph).not.toContain(
      'bwdif',
    );
  });
});

describe('frames', () => {
  it('keep their times, to the tick where the rate varies', () => {
    const times = (video: object, asked: Asked = {}) =>
      planned({ ...asked, encode: 'always' }, sourceOf(probeOf(video))).options;
    expect(times({})).toContain('-fps_mode:v:0 vfr -filter:a:0');
    expect(times({ fps: 29.4, baseFps: 30 })).toContain('-fps_mode:v:0 vfr -enc_time_base:v:0 1:90000');
    expect(times({ fps: null })).toContain('-enc_time_base');
    expect(times({ fps: 29.4, baseFps: 30 }, { fps: 24 })).not.toMatch(/-fps_mode|-enc_time_base/);
  });
});

describe('colours', () => {
  it('that were mapped from HDR are told to be what they are', () => {
    const hlg = sourceOf(probeOf({ codec: 'hevc', transfer: 'arib-std-b67', pixelFormat: 'yuv420p10le' }));
    const tags = '-colorspace:v:0 bt709 -color_primaries:v:0 bt709 -color_trc:v:0 bt709 -color_range:v:0 tv';
    expect(planned({}, hlg).options).toContain(tags);
    expect(planned({ codec: 'av1' }, hlg).options).toContain(tags);
    expect(planned({}, { ...hlg, filters: new Set() }).options).not.toContain('-colorspace');
    expect(planned({ encode: 'always' }).options).not.toContain('-colorspace');
  });
});
