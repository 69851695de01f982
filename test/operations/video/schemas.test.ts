import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ffmpegArguments } from '../../../src/engines/ffmpeg-command.ts';
import {
  planOutput,
  videoOperations,
  videoOutputSchema,
  videoOutputsFromQuery,
  videoQuerySchema,
} from '../../../src/operations/video.ts';
import { planRuns } from '../../../src/operations/video/plan.ts';
import { probeOf, sourceOf } from './sources.ts';

// Longer than any cut, so that every cut can be planned.
const month = { durationSeconds: 2_592_000 };
const source = sourceOf(probeOf({ codec: 'hevc', ...month }, month, month));

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
      path: '/srv/source',
      mediaType: 'video/mp4',
      scratch: '/srv/scratch',
      maxPixels: 33_177_600,
      maxSeconds: 14_400,
    }),
  );
}

describe('the operations', () => {
  it.each(Object.entries(videoOperations))(
    '%s: each example can be parsed and planned',
    (name, operation) => {
      expect(operation.name).toBe(name);
      expect(operation.examples.length).toBeGreaterThan(0);
      for (const { params, shows, query } of operation.examples) {
        expect(shows).not.toBe('');
        expect(argumentsOf({ out: params })).toContain('-i');
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
          { type?: string; description?: string; minimum?: number; maximum?: number }
        >;
        additionalProperties?: boolean;
      };
      expect(schema.additionalProperties).toBe(false);
      for (const [field, property] of Object.entries(schema.properties)) {
        expect(property.description, field).toBeTruthy();
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
  const PLAIN = /^(?:\d{1,9}(?:\.\d{1,6})?%?|true|false|[a-z0-9]{2,9})$/;
  /** Everything that a planned argument is made of: our own options, numbers, filters. */
  const GRAMMAR = /^[\w./:=,;[\]()'\\+*%-]*$/;

  const fields = Object.values(videoOperations).flatMap(({ name, params }) =>
    Object.keys(params.shape).map((field) => [name, field] as const),
  );

  it('in any parameter never reach the argument list', () => {
    let accepted = 0;
    const perField = Math.ceil(10_000 / fields.length);
    for (const [type, field] of fields) {
      for (let round = 0; round < perField; round++) {
        const text = odd();
        const output = { type, [field]: text };
        const parsed = videoOutputSchema.safeParse(output);
        if (!parsed.success) continue;
        accepted++;
        expect(text, `${type}.${field}`).toMatch(PLAIN);
        for (const argument of argumentsOf({ out: output })) expect(argument).toMatch(GRAMMAR);
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
