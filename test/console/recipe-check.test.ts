// What the console finds wrong before it asks: never what the server would take, and always with its place.

import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { lacking } from '../../src/console/rights.ts';
import { readAddress, writeAddress } from '../../src/console/address.ts';
import { misfit } from '../../src/console/fitting.ts';
import { outputSchemas } from '../../src/console/operations.ts';
import type { Output } from '../../src/console/operations.ts';
import { spoken } from '../../src/console/place.ts';
import { checkRecipe } from '../../src/console/recipe-check.ts';
import { beginningOf } from '../../src/console/schema.ts';
import type { Schema } from '../../src/console/schema.ts';
import { STARTERS } from '../../src/console/starters.ts';
import { flow } from '../../src/console/views/output-flow.ts';
import { laneFor, recipeSchema } from '../../src/jobs/recipe.ts';
import { describeOperations } from '../../src/operations/reference.ts';

const schemas = outputSchemas({
  recipe: z.toJSONSchema(recipeSchema, { io: 'input', unrepresentable: 'any' }) as Schema,
});
const check = (outputs: Record<string, object>) =>
  checkRecipe({ outputs: outputs as Record<string, Output> }, schemas);
const found = (outputs: Record<string, object>): readonly string[] =>
  check(outputs).map(({ place, message }) => `${place} ${message}`);
const step = (fields: object): Record<string, object> => ({ a: { type: 'image', steps: [fields] } });
const reference = describeOperations();
const steps = schemas.get('image')?.properties?.['steps']?.items?.oneOf ?? [];

describe('the check', () => {
  it.each(STARTERS)('finds nothing wrong with $name', ({ recipe }) => {
    expect(found(recipe.outputs)).toEqual([]);
  });

  it('finds nothing wrong with any example of the reference', () => {
    let looked = 0;
    for (const [examples, outputOf] of [
      ...reference.image.map(
        ({ name, examples: all }) => [all, (params: object) => step({ op: name, ...params })] as const,
      ),
      ...reference.video.map(
        ({ name, examples: all }) => [all, (params: object) => ({ a: { type: name, ...params } })] as const,
      ),
    ]) {
      for (const { params } of examples as readonly { params: object }[]) {
        const outputs = outputOf(params);
        if (!recipeSchema.safeParse({ outputs }).success) continue;
        expect(found(outputs)).toEqual([]);
        looked++;
      }
    }
    expect(looked).toBeGreaterThan(40);
  });

  it.each([
    [step({ op: 'resize', width: 0 }), 'a.steps.0.width must be at least 1'],
    [step({ op: 'resize', width: 99_999 }), 'a.steps.0.width must be at most 16383'],
    [step({ op: 'resize', width: 3.5 }), 'a.steps.0.width must be a whole number'],
    [step({ op: 'text', text: '' }), 'a.steps.0.text is needed'],
    [step({ op: 'composite', source: 'logo' }), 'a.steps.0.source is not written as it must be'],
    [{ a: { type: 'imageSet' } }, 'a.widths is needed'],
    [{ a: { type: 'imageSet', widths: [400, 0] } }, 'a.widths.1 must be at least 1'],
  ])('%j: %s', (outputs, wanted) => {
    expect(found(outputs)).toEqual([`outputs.${wanted}`]);
    expect(recipeSchema.safeParse({ outputs }).success).toBe(false);
  });

  it('an output is named as the server allows it, and a recipe is for images or for videos', () => {
    expect(found({ 'My Name': { type: 'image' } })[0]).toContain('outputs.My Name A name has small letters');
    expect(found({ a: { type: 'image' }, b: { type: 'probe' } })).toHaveLength(1);
    expect(found({})).toEqual(['outputs add at least one output']);
  });

  it.each(steps.map((schema) => [String(schema.properties?.['op']?.const), schema] as const))(
    'a new step %s begins with what works everywhere, and names what it needs',
    (op, schema) => {
      const all = reference.image.find(({ name }) => name === op)?.examples;
      const [first] = (all ?? []) as readonly { params?: object }[];
      const example: Readonly<Record<string, unknown>> = { ...first?.params };
      const begun = { op, ...beginningOf(schema, example) };
      const faults = check(step(begun));
      expect(faults.every(({ isMissing }) => isMissing)).toBe(true);
      const added = Object.fromEntries(
        faults.map(({ place }) => {
          const field = place.split('.').at(-1) ?? '';
          expect(example[field]).toBeDefined();
          return [field, example[field]];
        }),
      );
      expect(recipeSchema.safeParse({ outputs: step({ ...begun, ...added }) }).error).toBeUndefined();
      expect(JSON.stringify(begun)).not.toMatch(/upload:|Zürich/);
    },
  );

  it('says places as people do', () => {
    const recipe = { outputs: step({ op: 'resize', width: 0 }) };
    expect(spoken('outputs.a.steps.0.width', recipe)).toBe('a › step 1, resize › width');
    expect(spoken('outputs.a.widths.1', recipe)).toBe('a › widths 2');
    expect(spoken('webhook', recipe)).toBe('webhook');
  });
});

describe('a file and a recipe', () => {
  const recipes = { image: { a: { type: 'image' } }, video: { a: { type: 'probe' } } };
  it.each(
    ['image/jpeg', 'image/gif', 'video/mp4', 'audio/mpeg'].flatMap((mediaType) =>
      (['image', 'video'] as const).map((work) => [mediaType, work] as const),
    ),
  )('%s fits %s exactly where the server says so', (mediaType, work) => {
    let fits = true;
    try {
      laneFor(recipeSchema.parse({ outputs: recipes[work] }), mediaType);
    } catch {
      fits = false;
    }
    expect(misfit(mediaType, { outputs: recipes[work] }) === undefined).toBe(fits);
  });
  it('what nobody knows yet is not judged', () => {
    expect(misfit(undefined, { outputs: recipes.image })).toBeUndefined();
    expect(misfit('application/octet-stream', { outputs: recipes.image })).toBeUndefined();
  });
});

it('addresses keep filters, whatever is in them', () => {
  const hash = writeAddress('jobs', { status: 'failed', kind: undefined, name: 'a/b?&ü' });
  const { page, argument, query } = readAddress(hash);
  expect([page, argument, query.get('status'), query.get('kind'), query.get('name')]).toEqual([
    ...['jobs', '', 'failed', null, 'a/b?&ü'],
  ]);
  expect(writeAddress('jobs', {})).toBe('#/jobs');
  expect(readAddress('#/jobs/a%20b')).toMatchObject({ page: 'jobs', argument: 'a b' });
  expect(readAddress('#/jobs/%')).toMatchObject({ argument: '%' });
  expect(readAddress('')).toMatchObject({ page: '', argument: '' });
});

it('a key lacks what it does not say; a server without keys asks for none', () => {
  const session = { required: true, tenant: 'a', scopes: ['jobs:read'] };
  expect(lacking(session, ['jobs:read', 'uploads'])).toEqual(['uploads']);
  expect(lacking({ ...session, required: false }, ['uploads'])).toEqual([]);
});

it('outputs fill two columns, none of which stays empty', () => {
  const of = (...types: string[]) => flow(types.map((type) => ({ type }) as never)).map((c) => c.length);
  expect(of('image')).toEqual([1]);
  expect(of('hls', 'thumbnail', 'storyboard')).toEqual([1, 2]);
  expect(of('waveform', 'hls', 'audio', 'image')).toEqual([3, 1]);
});
