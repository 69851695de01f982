// What the console makes of the server's own tables: forms, first values, short forms and commands.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { imageQuery } from '../../src/console/image-query.ts';
import { freeName, IMAGE_TYPES, OUTPUT_NAME, outputSchemas } from '../../src/console/operations.ts';
import type { Output } from '../../src/console/operations.ts';
import { curlForImage, curlForJob, quoted } from '../../src/console/recipe-code.ts';
import { beginningOf, initialValue, kindOf, suits, variantsOf } from '../../src/console/schema.ts';
import type { Schema } from '../../src/console/schema.ts';
import { STARTERS } from '../../src/console/starters.ts';
import { isOfImage, recipeSchema } from '../../src/jobs/recipe.ts';
import {
  imageOperations,
  imageOutputFromQuery,
  imageOutputSchema,
  imageQuerySchema,
} from '../../src/operations/image.ts';
import { describeOperations } from '../../src/operations/reference.ts';

const recipe = z.toJSONSchema(recipeSchema, { io: 'input', unrepresentable: 'any' }) as Schema;
const schemas = outputSchemas({ recipe });
const reference = describeOperations();
const exampleOf = (name: string): Record<string, unknown> =>
  (
    [...reference.image, ...reference.video].find((each) => each.name === name)?.examples as
      | { params: Record<string, unknown> }[]
      | undefined
  )?.[0]?.params ?? {};

/** What the server understands of a query. */
const understood = (query: URLSearchParams): unknown =>
  imageOutputFromQuery(imageQuerySchema.parse(Object.fromEntries(query)));

describe('forms', () => {
  it('know every type of output that the server has', () => {
    expect([...schemas.keys()]).toEqual(['image', 'imageSet', ...reference.video.map(({ name }) => name)]);
    for (const type of schemas.keys()) {
      const output = { ...(initialValue(schemas.get(type) ?? {}) as Output), ...exampleOf(type), type };
      expect(IMAGE_TYPES.has(type)).toBe(isOfImage(output as never));
    }
  });

  it.each([...schemas.keys()])('a new output of type %s is one that the server takes', (type) => {
    const known = STARTERS.flatMap(({ recipe: each }) => Object.values(each.outputs));
    const example = { ...known.find((each) => each.type === type), ...exampleOf(type) };
    const output = { ...beginningOf(schemas.get(type) ?? {}, example), ...example, type };
    const name = freeName(type, ['image', 'image-2']);
    expect(name).toMatch(OUTPUT_NAME);
    expect(recipeSchema.safeParse({ outputs: { [name]: output } }).error).toBeUndefined();
  });

  it('no name is twice, and none is another than the server allows', () => {
    const names = ((recipe.properties ?? {})['outputs'] as { propertyNames?: Schema }).propertyNames;
    expect(OUTPUT_NAME.source).toBe(names?.pattern);
    expect(freeName('image', ['image', 'image-2'])).toBe('image-3');
  });

  it.each(Object.keys(imageOperations))('a new step %s is one that the server takes', (op) => {
    const output = { type: 'image', steps: [{ op, ...exampleOf(op) }] };
    expect(recipeSchema.safeParse({ outputs: { image: output } }).error).toBeUndefined();
  });

  it('have a field for every option, and every alternative begins with a value of its own kind', () => {
    let fields = 0;
    const walk = (schema: Schema): void => {
      for (const field of Object.values(schema.properties ?? {})) {
        if (field.const !== undefined) continue;
        fields++;
        const kind = kindOf(field);
        if (kind === 'group') walk(field);
        if (kind === 'steps') for (const step of field.items?.oneOf ?? []) walk(step);
        if (kind !== 'variants') continue;
        for (const option of variantsOf(field)) expect(suits(option, initialValue(option))).toBe(true);
      }
    };
    for (const schema of schemas.values()) walk(schema);
    expect(fields).toBeGreaterThan(200);
  });

  it.each(STARTERS)('the recipe $name is one that the server takes', ({ recipe: starter, of }) => {
    const parsed = recipeSchema.parse(starter);
    expect(Object.values(parsed.outputs).every(isOfImage)).toBe(of === 'image');
  });
});

describe('short forms', () => {
  const examples = Object.values(imageOperations).flatMap(({ name, examples: all }) =>
    all.map((each: { params: object; query?: string }) => ({ name, ...each })),
  );

  it.each(examples)(
    'of $name $params say what the step says, or there is none',
    ({ name, params, query }) => {
      const output: Output = { type: 'image', steps: [{ op: name, ...params }] };
      const said = imageQuery(output);
      // What the reference writes as a query has a short form.
      expect(said === undefined).toBe(query === undefined);
      if (said !== undefined) expect(understood(said)).toEqual(imageOutputSchema.parse(output));
    },
  );

  it('keep the encoding, and several steps in the order in which a query does them', () => {
    const output: Output = {
      type: 'image',
      steps: [
        { op: 'crop', left: 0, top: 0, width: 50, height: 50, unit: 'percent' },
        { op: 'resize', width: 300 },
        { op: 'blur', sigma: 2 },
      ],
      format: 'avif',
      quality: 40,
      lossless: false,
    };
    const said = imageQuery(output);
    expect(said && understood(said)).toEqual(imageOutputSchema.parse(output));
  });

  it.each([
    [
      'another order',
      [
        { op: 'blur', sigma: 2 },
        { op: 'resize', width: 300 },
      ],
    ],
    [
      'a step twice',
      [
        { op: 'resize', width: 300 },
        { op: 'resize', width: 200 },
      ],
    ],
    [
      'two backgrounds',
      [
        { op: 'rotate', angle: 5, background: 'red' },
        { op: 'extend', top: 5, background: 'white' },
      ],
    ],
    [
      'a background of one step only',
      [
        { op: 'rotate', angle: 5 },
        { op: 'extend', top: 5, background: 'white' },
      ],
    ],
    ['an option without one', [{ op: 'sharpen', sigma: 1, jagged: 3 }]],
    ['an operation of a newer server', [{ op: 'dream' }]],
  ])('there is none for %s', (_, steps) => {
    expect(imageQuery({ type: 'image', steps })).toBeUndefined();
  });
});

describe('commands', () => {
  it('are words of a shell whatever is in them', async () => {
    const nasty = `it's "$HOME" \`id\` \\ ; & | *\nnew line`;
    const { stdout } = await promisify(execFile)('sh', ['-c', `printf %s ${quoted(nasty)}`]);
    expect(stdout).toBe(nasty);
  });

  it('name the key and never write it out', () => {
    const wanted = {
      recipe: STARTERS[0]?.recipe ?? { outputs: {} },
      file: 'a b.jpg',
      origin: 'http://host:1',
      withKey: true,
    };
    expect(curlForImage(wanted)).toBe(
      [
        'curl \\',
        '  --header "Authorization: Bearer $MEDIAMILL_KEY" \\',
        "  --data-binary '@a b.jpg' \\",
        "  --output 'a b-new.webp' \\",
        "  'http://host:1/v1/images?width=1600&format=webp'",
      ].join('\n'),
    );
    expect(curlForJob(wanted)).toContain('$MEDIAMILL_KEY');
    expect(curlForJob({ ...wanted, file: 'a;"b".jpg' })).toContain(`--form 'file=@"a;\\"b\\".jpg"'`);
    expect(curlForJob({ ...wanted, withKey: false })).not.toContain('KEY');
  });
});
