// The contract of image operations: what every one in the table must hold, whoever adds it.

import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { assetsOf } from '../../src/operations/assets.ts';
import { imageOperations, imageOutputFromQuery, imageQuerySchema } from '../../src/operations/image.ts';
import type { ImageOperation } from '../../src/operations/image-operation.ts';
import { output, picture, renderOne, testPool } from '../engines/pictures.ts';
import type { OutputWish } from '../engines/pictures.ts';
import { seededRandom } from '../support/random.ts';

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly maxLength?: number;
  readonly items?: Schema;
  readonly maxItems?: number;
}

/** What an attacker could make as large as he likes, as paths. */
function unbounded(schema: Schema, path: string): string[] {
  if (schema.enum !== undefined || schema.const !== undefined) return [];
  switch (schema.type) {
    case 'number':
    case 'integer': {
      const ends = [schema.minimum, schema.maximum];
      return ends.every((end) => end !== undefined && Math.abs(end) < 2 ** 31) ? [] : [path];
    }
    case 'string':
      return schema.maxLength === undefined ? [path] : [];
    case 'boolean':
      return [];
    case 'array':
      return [
        ...(schema.maxItems === undefined ? [path] : []),
        ...unbounded(schema.items ?? {}, `${path}[]`),
      ];
    case 'object':
      return [
        ...(schema.additionalProperties === false ? [] : [path]),
        ...Object.entries(schema.properties ?? {}).flatMap(([name, inner]) =>
          unbounded(inner, `${path}.${name}`),
        ),
      ];
    default:
      return [`${path}: ${JSON.stringify(schema)}`];
  }
}

const engine = testPool();
afterAll(() => engine.close());

describe.each(Object.entries<ImageOperation>(imageOperations))('%s', (name, operation) => {
  const jsonSchema = z.toJSONSchema(operation.params, { io: 'input' }) as Schema;
  const query = z.toJSONSchema(z.strictObject(operation.query), { io: 'input' }) as Schema;
  const step = (params: object) => ({ op: name, ...params }) as NonNullable<OutputWish['steps']>[number];

  it('goes by the name of the table', () => {
    expect(operation.name).toBe(name);
    expect(operation.summary).toMatch(/^[A-Z].*\.$/);
  });

  it('has bounds on everything that can be sent, and refuses what it does not know', () => {
    expect(unbounded(jsonSchema, name)).toEqual([]);
    expect(unbounded(query, `?${name}`)).toEqual([]);
    for (const { params } of operation.examples) {
      expect(operation.params.safeParse(params).success).toBe(true);
      expect(operation.params.safeParse({ ...params, surprise: 1 }).success).toBe(false);
      expect(operation.params.safeParse({ ...params, op: name }).success).toBe(false);
    }
  });

  it('describes every parameter', () => {
    for (const schema of [jsonSchema, query]) {
      for (const [field, { description = '' }] of Object.entries(schema.properties ?? {})) {
        expect(description, field).toMatch(/^.{10,}/);
      }
    }
  });

  it('takes no text, nothing and null for a number', () => {
    for (const [field, { type }] of Object.entries(jsonSchema.properties ?? {})) {
      if (type !== 'integer' && type !== 'number') continue;
      const [{ params } = { params: {} }] = operation.examples;
      for (const value of ['', ' 5', '0x10', 'many', null, true, [], '1e3', NaN, Infinity]) {
        expect(
          operation.params.safeParse({ ...params, [field]: value }).success,
          `${field}=${String(value)}`,
        ).toBe(false);
      }
    }
  });

  it('has no query parameters, or an example of them', () => {
    expect(operation.examples.length).toBeGreaterThan(0);
    const shown = operation.examples.filter((example) => example.query !== undefined);
    expect(shown.length > 0).toBe(Object.keys(operation.query).length > 0);
    expect(operation.fromQuery({})).toBeUndefined();
  });

  describe.each(operation.examples.map((example) => [example.shows, example] as const))(
    '%s',
    (_shows, example) => {
      it('is of the size it says, by its own arithmetic and by the engine', async () => {
        const params = operation.params.parse(example.params);
        expect(operation.size(params, { width: 1200, height: 800 })).toEqual(example.gives);
        for (const format of ['png', 'jpeg'] as const) {
          const source = await (await sourcePicture).toFormat(format).toBuffer();
          const wish: OutputWish = { steps: [step(example.params)], format: 'jpeg' };
          const mark = await picture(90, 30, true).png().toBuffer();
          const assets = new Map(assetsOf([output(wish)]).map((reference) => [reference, mark]));
          const { data } = await renderOne(engine, source, wish, { assets });
          const { width, height } = await sharp(data).metadata();
          expect({ width, height }).toEqual(example.gives);
        }
      });

      it.skipIf(example.query === undefined)('says the same in a URL', () => {
        const read = imageQuerySchema.parse(Object.fromEntries(new URLSearchParams(example.query)));
        expect(imageOutputFromQuery(read)).toEqual(output({ steps: [step(example.params)] }));
      });
    },
  );
});

const sourcePicture = picture(1200, 800)
  .raw()
  .toBuffer()
  .then((data) => sharp(data, { raw: { width: 1200, height: 800, channels: 3 } }));

describe('size()', () => {
  it('agrees with the engine for any parameters', async () => {
    const random = seededRandom(7);
    for (let round = 0; round < 150; round++) {
      const [width, height] = [random.between(1, 90), random.between(1, 90)];
      const source = await picture(width, height).png().toBuffer();
      const fit = (['inside', 'outside', 'cover', 'contain', 'fill'] as const)[round % 5]!;
      const sides = random.between(1, 3);
      const steps: NonNullable<OutputWish['steps']> = [
        round % 2 === 0
          ? { op: 'rotate', angle: random.between(-3600, 3600) / 10 }
          : {
              op: 'resize',
              fit,
              enlarge: random.next() < 0.5,
              ...(sides !== 1 && { width: random.between(1, 120) }),
              ...(sides !== 2 && { height: random.between(1, 120) }),
            },
      ];
      const [first] = output({ steps }).steps;
      const expected = (imageOperations[first!.op] as ImageOperation).size(first!, { width, height });
      const rendition = await renderOne(engine, source, { steps, format: 'png' });
      const is = { width: rendition.width, height: rendition.height };
      expect(is, `${width}x${height} ${JSON.stringify(steps)}`).toEqual(expected);
    }
  });
});
