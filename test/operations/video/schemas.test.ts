import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { describeFields, fieldErrors } from '../../../src/lib/field-errors.ts';
import { ffmpegArguments } from '../../../src/engines/ffmpeg-command.ts';
import {
  planOutput,
  videoOperations,
  videoOutputSchema,
  videoOutputsFromQuery,
  videoQuerySchema,
} from '../../../src/operations/video.ts';
import { planRuns } from '../../../src/operations/video/plan.ts';
import { Problem } from '../../../src/problems.ts';
import { aac, probeOf, sourceOf } from './sources.ts';

// Longer than any cut, so that every cut can be planned.
const month = { durationSeconds: 2_592_000 };
const probe = probeOf({ codec: 'hevc', ...month }, month, month);
const tracks = Array.from({ length: 16 }, (_, index) => ({ ...aac, ...month, index: index + 1 }));
const logo = probeOf({ codec: 'png', width: 400, height: 100, durationSeconds: null }, null);
const source = sourceOf(
  { ...probe, audio: tracks, subtitles: [{ index: 17, codec: 'subrip', language: 'en' }] },
  {
    assets: new Map([
      ['upload:logo', { mediaType: 'image/png', probe: logo }],
      ['upload:clip', { mediaType: 'video/mp4', probe }],
    ]),
  },
);

function argumentsOf(outputs: Record<string, unknown>): string[] {
  const parts = Object.fromEntries(
    Object.entries(outputs).map(([name, output]) => [
      name,
      planOutput(videoOutputSchema.parse(output), source),
    ]),
  );
  const { runs, stills } = planRuns(parts, source);
  return [...runs, ...stills].flatMap((run) =>
    ffmpegArguments(run, {
      source: { path: '/srv/source', mediaType: 'video/mp4' },
      assets: new Map([
        ['upload:logo', { path: '/srv/logo', mediaType: 'image/png' }],
        ['upload:clip', { path: '/srv/clip', mediaType: 'video/mp4' }],
      ]),
      scratch: '/srv/scratch',
      maxPixels: 33_177_600,
      maxSeconds: 14_400,
    }),
  );
}

/** A language that the source does not have is refused when it is planned. */
function argumentsOrNone(outputs: Record<string, unknown>): string[] {
  try {
    return argumentsOf(outputs);
  } catch (error) {
    if (error instanceof Problem && error.code === 'stream_missing') return [];
    throw error;
  }
}

describe('the operations', () => {
  it.each(Object.entries(videoOperations))(
    '%s: each example can be parsed and planned',
    (name, operation) => {
      expect(operation.name).toBe(name);
      expect(operation.examples.length).toBeGreaterThan(0);
      for (const { params, shows, query } of operation.examples) {
        expect(shows).not.toBe('');
        // A probe is told from what is known already.
        expect(argumentsOf({ out: params }).includes('-i')).toBe(name !== 'probe');
        if (query === undefined) continue;
        const { video } = videoOutputsFromQuery(
          videoQuerySchema.parse(Object.fromEntries(new URLSearchParams(query))),
        );
        expect(video).toEqual(videoOutputSchema.parse(params));
      }
    },
  );

  it.each(Object.entries(videoOperations))(
    '%s: every field is described, every number is bounded',
    (_, { params }) => {
      const schema = z.toJSONSchema(params, { io: 'input' }) as {
        properties: Record<
          string,
          { type?: string; description?: string; minimum?: number; maximum?: number; enum?: unknown[] }
        >;
        additionalProperties?: boolean;
      };
      expect(schema.additionalProperties).toBe(false);
      for (const [field, property] of Object.entries(schema.properties)) {
        expect(property.description, field).toBeTruthy();
        if (property.enum !== undefined) continue;
        if (property.type === 'number' || property.type === 'integer') {
          expect(property.minimum, field).toBeTypeOf('number');
          expect(property.maximum, field).toBeTypeOf('number');
        }
      }
    },
  );

  it('can all be told as JSON Schema', () => {
    expect(JSON.stringify(z.toJSONSchema(videoOutputSchema, { io: 'input' }))).toContain('transcode');
    expect(JSON.stringify(z.toJSONSchema(videoQuerySchema, { io: 'input' }))).toContain('poster');
  });
});

describe('an output', () => {
  it.each([
    [{ type: 'transcode', width: 15 }, 'width'],
    [{ type: 'transcode', width: 8193 }, 'width'],
    [{ type: 'transcode', width: 20.5 }, 'width'],
    [{ type: 'transcode', width: '' }, 'width'],
    [{ type: 'transcode', width: null }, 'width'],
    [{ type: 'transcode', width: true }, 'width'],
    [{ type: 'transcode', width: [640] }, 'width'],
    [{ type: 'transcode', width: '0x280' }, 'width'],
    [{ type: 'transcode', width: '6e2' }, 'width'],
    [{ type: 'transcode', width: ' 640' }, 'width'],
    [{ type: 'transcode', width: 8192, height: 8192 }, 'width'],
    [{ type: 'transcode', fit: 'cover', width: 640 }, 'fit'],
    [{ type: 'transcode', start: '' }, 'start'],
    [{ type: 'transcode', start: -1 }, 'start'],
    [{ type: 'transcode', start: 10, end: 10 }, 'end'],
    [{ type: 'transcode', quality: 50, crf: 20 }, 'crf'],
    [{ type: 'transcode', crf: 52 }, 'crf'],
    [{ type: 'transcode', codec: 'hevc', crf: 52 }, 'crf'],
    [{ type: 'transcode', codec: 'vp9' }, 'codec'],
    [{ type: 'transcode', format: 'webm', codec: 'h264' }, 'codec'],
    [{ type: 'transcode', format: 'webm', codec: 'hevc' }, 'codec'],
    [{ type: 'transcode', quality: 0 }, 'quality'],
    [{ type: 'transcode', quality: 'best' }, 'quality'],
    [{ type: 'transcode', quality: 'high', crf: 20 }, 'crf'],
    [{ type: 'transcode', rotate: 45 }, 'rotate'],
    [{ type: 'transcode', rotate: 360 }, 'rotate'],
    [{ type: 'transcode', flip: 'both' }, 'flip'],
    [{ type: 'transcode', audio: 17 }, 'audio'],
    [{ type: 'transcode', audio: 'english' }, 'audio'],
    [{ type: 'transcode', audio: 'all', mute: true }, 'audio'],
    [{ type: 'transcode', subtitles: 'show' }, 'subtitles'],
    [{ type: 'transcode', subtitleTrack: 1 }, 'subtitleTrack'],
    [{ type: 'transcode', hardware: 'gpu' }, 'hardware'],
    [{ type: 'transcode', watermark: 'upload:logo' }, 'watermark'],
    [{ type: 'transcode', watermark: { image: 'https://example.com/logo.png' } }, 'watermark.image'],
    [{ type: 'transcode', watermark: { image: 'upload:../x' } }, 'watermark.image'],
    [{ type: 'transcode', watermark: { image: 'upload:logo', width: 1.1 } }, 'watermark.width'],
    [{ type: 'transcode', watermark: { image: 'upload:logo', opacity: -0.1 } }, 'watermark.opacity'],
    [{ type: 'transcode', watermark: { image: 'upload:logo', margin: 0.6 } }, 'watermark.margin'],
    [{ type: 'transcode', watermark: { image: 'upload:logo', x: 10 } }, 'watermark'],
    [{ type: 'transcode', crf: 0 }, 'crf'],
    [{ type: 'transcode', mute: '' }, 'mute'],
    [{ type: 'transcode', fps: 121 }, 'fps'],
    [{ type: 'transcode', format: 'avi' }, 'format'],
    [{ type: 'thumbnail', at: '101%' }, 'at'],
    [{ type: 'thumbnail', at: '' }, 'at'],
    [{ type: 'thumbnail', at: '%' }, 'at'],
    [{ type: 'thumbnail', at: -1 }, 'at'],
  ])('%j is refused at %s', (output, field) => {
    const result = videoOutputSchema.safeParse(output);
    expect(result.error?.issues.map(({ path }) => path.join('.'))).toContain(field);
  });

  it.each([
    [{ type: 'transcode', audio: 'english' }, 'audio: must be "first", "all", a language code such as "en"'],
    [
      { type: 'audio', track: 'english' },
      'track: must be "first", a language code such as "en" or "eng", or',
    ],
    [{ type: 'transcode', subtitles: 'burn', subtitleTrack: 'E' }, 'subtitleTrack: must be "first", a lang'],
    [{ type: 'hls', audio: 'english' }, 'audio: must be "first", "all", a language code'],
    [{ type: 'thumbnail', at: '150%' }, 'at: must be seconds from 0 to 604800, a percentage of the duration'],
    [{ type: 'thumbnail', at: ['150%'] }, 'must be seconds from 0 to 604800, or a percentage of the'],
    [{ type: 'transcode', rotate: 45 }, 'rotate: must be 90, 180 or 270'],
    [{ type: 'thumbnail', rotate: 'x' }, 'rotate: must be 90, 180 or 270'],
  ])('%j is told what is allowed, in words', (output, message) => {
    const { error } = videoOutputSchema.safeParse(output);
    const told = describeFields(fieldErrors(error?.issues ?? [], 'output'));
    expect(told).toContain(message);
    expect(told).not.toContain('pattern');
  });

  it('with an unknown field is refused', () => {
    const result = videoOutputSchema.safeParse({ type: 'transcode', filter: 'movie=/etc/passwd' });
    expect(result.success).toBe(false);
  });

  it('of crf 60 is fine as WebM', () => {
    expect(videoOutputSchema.safeParse({ type: 'transcode', format: 'webm', crf: 60 }).success).toBe(true);
  });
});

describe('the query', () => {
  it('makes a video and a poster of the same box', () => {
    expect(videoOutputsFromQuery(videoQuerySchema.parse({ height: '720' }))).toMatchObject({
      video: { type: 'transcode', format: 'mp4', height: 720 },
      poster: { type: 'thumbnail', at: '25%', height: 720, format: 'jpeg' },
    });
  });

  it('leaves the poster out when it is told to', () => {
    expect(Object.keys(videoOutputsFromQuery(videoQuerySchema.parse({ poster: 'false' })))).toEqual([
      'video',
    ]);
  });

  it.each([
    [{ start: '20', end: '40' }, 25],
    [{ start: '20' }, 20],
    [{ end: '40' }, 10],
  ])('takes the poster of %j at %d', (query, at) => {
    expect(videoOutputsFromQuery(videoQuerySchema.parse(query))['poster']).toMatchObject({ at });
  });

  it('refuses what it does not know', () => {
    expect(videoQuerySchema.safeParse({ type: 'transcode' }).success).toBe(false);
    expect(videoQuerySchema.safeParse({ hieght: '720' }).success).toBe(false);
    expect(videoQuerySchema.safeParse({ poster: 'no' }).success).toBe(false);
    expect(videoQuerySchema.safeParse({ start: '30', end: '20' }).success).toBe(false);
    for (const watermark of [
      'upload:logo',
      'middle,0.2,1,upload:logo',
      'north,0,1,upload:logo',
      'north,2,1,upload:logo',
    ]) {
      expect(videoQuerySchema.safeParse({ watermark }).error?.issues[0]?.path).toEqual(['watermark']);
    }
  });
});

describe('odd strings', () => {
  /** What attacks on command lines, filter graphs and URLs are made of. */
  const PIECES = [
    ...[
      '-',
      '--',
      '-i',
      ' ',
      '/etc/passwd',
      'file:',
      'pipe:1',
      'concat:',
      'http://127.0.0.1/',
      '%',
      '%d',
      '\\',
    ],
    ...[
      "'",
      '"',
      '`',
      '$(id)',
      ';',
      '|',
      '&',
      '\n',
      '\0',
      ',',
      ':',
      '=',
      '[0:v]',
      '[out]',
      'movie=x',
      'scale=1',
    ],
    ...[
      'metadata=mode=print:file=x',
      '0',
      '1',
      '640',
      '1e9',
      'NaN',
      'Infinity',
      '0x10',
      '-1',
      '.',
      '𝟔𝟒𝟎',
      'ｍｐ４',
    ],
    ...[
      '20',
      '48',
      '99.5',
      '7',
      '50%',
      'png',
      'cover',
      'small',
      'always',
      'false',
      'mp4',
      'webm',
      '25%',
      ...['high', 'keep', 'burn', 'all', 'av1', 'hevc', 'auto', '90', 'first', 'en', 'vertical'],
      'true',
      '__proto__',
      'inside',
      '\u202e',
      'é',
      '٣',
    ],
  ];
  let seed = 20_261_122;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    // The low bits of such a generator repeat.
    return (seed >>> 8) % below;
  };
  const odd = (): string =>
    Array.from({ length: 1 + random(4) }, () => PIECES[random(PIECES.length)] ?? '').join('');

  /** The only texts that may be accepted: plain decimals, percentages, words of a list. */
  const PLAIN = /^(?:-?\d{1,9}(?:\.\d{1,6})?%?|true|false|[a-z0-9]{2,10})$/;
  /** Everything that a planned argument is made of: our own options, numbers, filters. */
  const GRAMMAR = /^[\w./:=,;[\]()'\\+*%-]*$/;

  const fields = Object.values(videoOperations).flatMap(({ name, params }) =>
    Object.keys(params.shape).map((field) => [name, field] as const),
  );

  it('in any parameter never reach the argument list', () => {
    let accepted = 0;
    const perField = Math.ceil(30_000 / fields.length);
    for (const [type, field] of fields) {
      for (let round = 0; round < perField; round++) {
        const text = odd();
        const output = { type, ...(type === 'concat' && { with: ['upload:clip'] }), [field]: text };
        const parsed = videoOutputSchema.safeParse(output);
        if (!parsed.success) continue;
        accepted++;
        expect(text, `${type}.${field}`).toMatch(PLAIN);
        for (const argument of argumentsOrNone({ out: output })) expect(argument).toMatch(GRAMMAR);
      }
    }
    // Else the test would prove nothing.
    expect(accepted).toBeGreaterThan(100);
  });

  it('as keys are refused', () => {
    for (let round = 0; round < 1000; round++) {
      const key = odd();
      expect(videoOutputSchema.safeParse({ type: 'transcode', [`${key}!`]: 1 }).success).toBe(false);
    }
  });

  it('as the name of an output are no part of a file name or an argument', () => {
    const marked = 'z9-client-name';
    expect(argumentsOf({ [marked]: { type: 'transcode' } }).join(' ')).not.toContain(marked);
  });
});
