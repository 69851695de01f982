import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import type { Analysis, FindingOf } from '../../../src/operations/video/analysis.ts';
import { audio } from '../../../src/operations/video/audio.ts';
import { planRuns } from '../../../src/operations/video/plan.ts';
import type { Source } from '../../../src/operations/video-operation.ts';
import { probeOf, sourceOf } from './sources.ts';

type Asked = Omit<z.input<typeof audio.params>, 'type'>;

const withLoudnorm = { filters: new Set(['loudnorm']) };
const parse = (asked: Asked) => audio.params.parse({ type: 'audio', ...asked });

function planned(asked: Asked, source: Source = sourceOf()) {
  const part = audio.plan(parse(asked), source);
  const [run] = planRuns({ out: part }, source).runs;
  return { part, piece: part.pieces[0], options: run?.outputs[0]?.options.join(' ') ?? '', run };
}

/** A source whose loudness is known. */
function measured(finding: FindingOf['loudness']): Source {
  const findings = { get: (question: Analysis) => (question.kind === 'loudness' ? finding : undefined) };
  return sourceOf(probeOf(), { ...withLoudnorm, findings: findings as Source['findings'] });
}

const QUIET = { integrated: -30, range: 6, peak: -12, threshold: -40, offset: 0.3 };

describe('sound as a file', () => {
  it.each([
    [{}, '-c:a:0 copy', '-movflags +faststart -f ipod', 'audio/mp4', 'audio.m4a'],
    [
      { encode: 'always' },
      '-c:a:0 aac -ac:a:0 2 -ar:a:0 48000 -b:a:0 128k',
      '-f ipod',
      'audio/mp4',
      'audio.m4a',
    ],
    [
      { format: 'mp3' },
      '-c:a:0 libmp3lame -ac:a:0 2 -ar:a:0 48000 -b:a:0 128k',
      '-f mp3',
      'audio/mpeg',
      'audio.mp3',
    ],
    [
      { format: 'opus' },
      '-c:a:0 libopus -ac:a:0 2 -ar:a:0 48000 -b:a:0 96k',
      '-f ogg',
      'audio/ogg',
      'audio.opus',
    ],
    [
      { format: 'flac' },
      '-c:a:0 flac -ac:a:0 2 -ar:a:0 48000 -sample_fmt:a:0 s16',
      '-f flac',
      'audio/flac',
      'audio.flac',
    ],
    [
      { format: 'wav' },
      '-c:a:0 pcm_s16le -ac:a:0 2 -ar:a:0 48000',
      '-rf64 auto -f wav',
      'audio/wav',
      'audio.wav',
    ],
  ] as const)('%j gives %s', (asked, encoder, muxer, mediaType, file) => {
    const { options, piece } = planned(asked);
    expect(options).toContain(encoder);
    expect(options).toContain('-map 0:1');
    expect(options.endsWith(muxer)).toBe(true);
    expect(piece).toMatchObject({
      mediaType,
      file,
      expects: { kind: 'clip', video: null, durationSeconds: 60 },
    });
  });

  it('takes nothing but the one track: no picture, no cover, no words about it', () => {
    const { options } = planned({ format: 'mp3' });
    expect(options.match(/-map /g)).toHaveLength(1);
    expect(options).toContain('-map_metadata -1');
  });

  it.each([
    [{ bitrate: 128 }, {}, true],
    [{ bitrate: 96 }, {}, false],
    [{ channels: 1 }, {}, false],
    [{ sampleRate: 44_100 }, {}, false],
    [{ sampleRate: 48_000 }, {}, true],
    [{ start: 1 }, {}, false],
    [{ end: 20 }, {}, false],
    [{ loudness: -16 }, {}, false],
    [{}, { profile: 'xHE-AAC' }, false],
    [{}, { channels: 6 }, false],
    [{}, { frames: 9000 }, false],
    [{}, { codec: 'mp3' }, false],
    [{ format: 'mp3' }, { codec: 'mp3' }, false],
  ] as const)('%j of %j is copied: %s', (asked, track, copied) => {
    const source = sourceOf(probeOf({}, track), withLoudnorm);
    const { part, options } = planned(asked, source);
    expect(options.includes('-c:a:0 copy')).toBe(copied);
    expect(part.encoders).toHaveLength(copied ? 0 : 1);
    expect(part.decisions[0]).toMatch(copied ? /^sound copied: / : /^sound encoded to .*: /);
  });

  it('of an MP3 file is copied as MP3, and not when a copy was tried in vain', () => {
    const mp3 = probeOf(null, { codec: 'mp3', profile: null }, { container: 'mp3' });
    expect(planned({ format: 'mp3' }, sourceOf(mp3)).options).toContain('-c:a:0 copy');
    expect(planned({ format: 'mp3' }, sourceOf(mp3, { mayCopy: false })).options).toContain('libmp3lame');
  });

  it('of more channels is mixed down; stereo becomes mono without getting louder', () => {
    const { options } = planned({ channels: 1 }, sourceOf(probeOf({}, { channels: 6 })));
    expect(options).toContain(
      'aformat=channel_layouts=stereo,aresample=rematrix_maxval=1,aformat=channel_layouts=mono',
    );
    expect(planned({ encode: 'always' }, sourceOf(probeOf({}, { channels: 1 }))).options).toContain(
      '-ac:a:0 1',
    );
  });

  it('keeps 24 bits where the source may have them', () => {
    const deep = sourceOf(probeOf({}, { codec: 'pcm_s24le' }));
    expect(planned({ format: 'flac' }, deep).options).toContain('-sample_fmt:a:0 s32');
  });

  it.each([
    ['mp3', 44_100, 44_100],
    ['mp3', 96_000, 48_000],
    ['aac', 37_800, 44_100],
    ['opus', 44_100, 48_000],
  ] as const)('in %s of %d samples per second has %d', (format, sampleRate, expected) => {
    const source = sourceOf(probeOf({}, { sampleRate }));
    expect(planned({ format, encode: 'always' }, source).options).toContain(`-ar:a:0 ${expected}`);
  });

  it('gets no more bits than its format can have, and says so', () => {
    const { options, part } = planned({ format: 'opus', bitrate: 320, channels: 1 });
    expect(options).toContain('-b:a:0 256k');
    expect(part.decisions).toContain('256 kb/s instead of 320: it is the most for mono');
  });

  it('is cut by a seek, and the right track is taken', () => {
    const { run, options } = planned({ start: 5, end: 15 });
    expect(run?.inputs[0]).toMatchObject({ seek: 5, seconds: 10 });
    expect(options).not.toContain('copy');
    const two = {
      ...probeOf(),
      audio: [...probeOf().audio, { ...probeOf({}, { language: 'deu', index: 4 }).audio[0]! }],
    };
    expect(planned({ track: 'de' }, sourceOf(two)).options).toContain('-map 0:4');
    expect(() => planned({ track: 3 }, sourceOf(two))).toThrow(
      expect.objectContaining({ code: 'stream_missing' }),
    );
  });

  it('as an M4A says its language, copied or encoded', () => {
    const german = sourceOf(probeOf({}, { language: 'ger' }));
    for (const encode of ['auto', 'always'] as const) {
      expect(planned({ encode }, german).options).toContain('-metadata:s:a:0 language=ger');
    }
    expect(planned({ encode: 'auto' }).options).not.toContain('-metadata');
  });

  it('needs sound, and a start before the end', () => {
    expect(() => planned({}, sourceOf(probeOf({}, null)))).toThrow(
      expect.objectContaining({ code: 'stream_missing' }),
    );
    expect(() => planned({ start: 60 })).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });

  it('that starts late is as much longer: it keeps its place beside the picture', () => {
    const source = sourceOf(probeOf({}, { startSeconds: 4, durationSeconds: 50 }, { startSeconds: 0 }));
    expect(planned({ encode: 'always' }, source).piece?.expects.durationSeconds).toBe(54);
  });
});

describe('fields', () => {
  it.each([
    [{ bitrate: 31 }, 'bitrate'],
    [{ bitrate: 128, format: 'flac' }, 'bitrate'],
    [{ sampleRate: 9000 }, 'sampleRate'],
    [{ sampleRate: 44_100, format: 'opus' }, 'sampleRate'],
    [{ loudness: -71 }, 'loudness'],
    [{ loudness: -4 }, 'loudness'],
    [{ truePeak: -1 }, 'truePeak'],
    [{ loudness: -16, truePeak: 1 }, 'truePeak'],
    [{ start: 5, end: 5 }, 'end'],
    [{ channels: 3 }, 'channels'],
    [{ track: 'English' }, 'track'],
    [{ track: 17 }, 'track'],
  ])('%j is refused at %s', (asked, field) => {
    const result = audio.params.safeParse({ type: 'audio', ...asked });
    expect(result.error?.issues.map(({ path }) => path.join('.'))).toContain(field);
  });
});

describe('loudness', () => {
  it('is asked for before it is planned, of just what will be heard', () => {
    const source = sourceOf(probeOf({}, { channels: 6 }), withLoudnorm);
    const questions = audio.analyses?.(parse({ loudness: -16, start: 2 }), source);
    expect(questions).toEqual([
      {
        kind: 'loudness',
        audio: 1,
        target: -16,
        truePeak: -1.5,
        filters: [expect.stringContaining('aresample=async=1'), 'aformat=channel_layouts=stereo'],
        window: { start: 2, end: null },
      },
    ]);
    expect(audio.analyses?.(parse({}), source)).toEqual([]);
  });

  it('is changed in one step where no peak gets too high by it', () => {
    const { options, part } = planned({ loudness: -20 }, measured(QUIET));
    expect(options).toContain(
      'loudnorm=I=-20:TP=-1.5:LRA=11:measured_I=-30.00:measured_LRA=6.00:measured_TP=-12.00:measured_thresh=-40.00:offset=0.30:linear=true',
    );
    expect(options).toContain('-ar:a:0 48000');
    expect(part.decisions).toContain('loudness -30 LUFS brought to -20: one change of level for all of it');
  });

  it('says when peaks had to be held down, and never narrows the range', () => {
    const { options, part } = planned({ loudness: -14 }, measured({ ...QUIET, range: 17.2 }));
    expect(options).toContain(':LRA=18:');
    expect(part.decisions.join()).toContain('peaks of -12 dBTP would rise above -1.5');
  });

  it('stays within the bounds of the filter', () => {
    const wild = { integrated: 3, range: 120, peak: 140, threshold: 2, offset: -200 };
    expect(planned({ loudness: -14 }, measured(wild)).options).toContain(
      ':LRA=50:measured_I=0.00:measured_LRA=99.00:measured_TP=99.00:measured_thresh=0.00:offset=-99.00:',
    );
  });

  it('of silence is left alone, so that it can be copied', () => {
    const { options, part } = planned({ loudness: -16 }, measured(null));
    expect(options).toContain('-c:a:0 copy');
    expect(part.decisions).toContain('loudness left alone: the sound is silence');
  });

  it('that could not be measured is brought about by ear', () => {
    const { options } = planned({ loudness: -16 }, sourceOf(probeOf(), withLoudnorm));
    expect(options).toContain('loudnorm=I=-16:TP=-1.5:LRA=11 ');
  });

  it('is left alone where FFmpeg has no filter for it, which is said', () => {
    const { options, part } = planned({ loudness: -16 });
    expect(options).not.toContain('loudnorm');
    expect(part.decisions).toContain('loudness left alone: this FFmpeg has no loudnorm filter');
    expect(audio.analyses?.(parse({ loudness: -16 }), sourceOf())).toEqual([]);
  });
});
