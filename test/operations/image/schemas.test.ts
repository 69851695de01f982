// What may be asked of an image, in JSON and in a URL.

import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { imageOutputFromQuery, imageOutputSchema, imageQuerySchema } from '../../../src/operations/image.ts';
import { recipeSchema } from '../../../src/jobs/recipe.ts';
import { Problem } from '../../../src/problems.ts';

const fromUrl = (query: string) =>
  imageOutputFromQuery(imageQuerySchema.parse(Object.fromEntries(new URLSearchParams(query))));

describe('a URL', () => {
  it('becomes steps in the order of the table, with the defaults filled in', () => {
    expect(
      fromUrl('format=webp&quality=70&width=800&height=600&fit=cover&flip=true&rotate=90&crop=1,2,3,4'),
    ).toEqual({
      type: 'image',
      steps: [
        { op: 'crop', left: 1, top: 2, width: 3, height: 4, unit: 'px' },
        { op: 'rotate', angle: 90, background: 'transparent' },
        { op: 'flip' },
        {
          op: 'resize',
          width: 800,
          height: 600,
          fit: 'cover',
          position: 'centre',
          dpr: 1,
          enlarge: false,
          background: 'transparent',
        },
      ],
      format: 'webp',
      quality: 70,
    });
  });

  it('may be empty', () => {
    expect(fromUrl('')).toEqual({ type: 'image', steps: [] });
  });

  it('says false as well as true', () => {
    expect(fromUrl('flip=false&flop=true').steps).toEqual([{ op: 'flop' }]);
    expect(fromUrl('width=5&enlarge=true').steps).toMatchObject([{ enlarge: true }]);
  });

  it.each([
    'width=',
    'width=0',
    'width=-5',
    'width=1e3',
    'width=0x10',
    'width=12.5',
    'width=16384',
    'width=many',
    'quality=0',
    'quality=101',
    'flip=abc',
    'flip=',
    'flip=1',
    'enlarge=yes&width=5',
    'crop=1,2,3',
    'crop=1,2,0,4',
    'crop=-1,2,3,4',
    'crop=1,2,3,4,5',
    'crop=99999999,2,3,4',
    'rotate=400',
    'rotate=',
    'background=url(x)',
    'background=%23ff',
    'background=rgb(1,2,3)&rotate=5',
    'format=svg',
    'format=JPEG',
    'widht=5',
    '__proto__=5',
  ])('is refused: %s', (query) => {
    expect(imageQuerySchema.safeParse(Object.fromEntries(new URLSearchParams(query))).success).toBe(false);
  });

  it.each([
    ['fit=cover', 'fit'],
    ['position=top&flip=true', 'position'],
    ['enlarge=true', 'enlarge'],
    ['crop=65535,0,1,1', 'left'],
  ])('makes no sense: %s', (query, field) => {
    const attempt = () => fromUrl(query);
    expect(attempt).toThrow(Problem);
    try {
      attempt();
    } catch (error) {
      const { code, errors, status } = error as Problem;
      expect({ code, status }).toEqual({ code: 'invalid_request', status: 400 });
      expect(errors).toMatchObject([{ field }]);
    }
  });
});

describe('an output', () => {
  const steps = (...list: unknown[]) => imageOutputSchema.safeParse({ type: 'image', steps: list });

  it('reads what it wrote: it is stored with the job and read again', () => {
    const parsed = imageOutputSchema.parse({
      type: 'image',
      steps: [
        { op: 'resize', width: '320', enlarge: 'true' },
        { op: 'rotate', angle: 1.5, background: '#f80' },
        { op: 'crop', left: 0, top: 0, width: 1, height: 1 },
        { op: 'flop' },
      ],
    });
    expect(parsed.steps[0]).toMatchObject({ width: 320, enlarge: true, fit: 'inside' });
    expect(imageOutputSchema.parse(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
    expect(recipeSchema.parse({ outputs: { a: parsed } }).outputs['a']).toEqual(parsed);
  });

  it('has at most 20 steps', () => {
    expect(steps(...Array.from({ length: 20 }, () => ({ op: 'flip' }))).success).toBe(true);
    expect(steps(...Array.from({ length: 21 }, () => ({ op: 'flip' }))).success).toBe(false);
  });

  it.each([
    [{ op: 'blur' }],
    [{ op: 'flip', width: 5 }],
    [{ op: 'resize' }],
    [{ op: 'resize', width: null }],
    [{ op: 'resize', width: true }],
    [{ op: 'crop', left: '', top: 0, width: 5, height: 5 }],
    [{ op: 'rotate', angle: 5, background: 'white; drop' }],
    [{ width: 5 }],
  ])('refuses the step %j', (step) => {
    expect(steps(step).success).toBe(false);
  });

  it('says where a mistake is', () => {
    const { error } = steps({ op: 'flip' }, { op: 'resize', width: 99_999 });
    expect(error?.issues[0]?.path).toEqual(['steps', 1, 'width']);
  });

  it('has a JSON Schema with descriptions, for OpenAPI', () => {
    const schema = JSON.stringify(z.toJSONSchema(imageOutputSchema, { io: 'input' }));
    expect(schema).toContain('"const":"resize"');
    expect(schema).toContain('"maximum":16383');
    expect(schema).toContain('"default":"inside"');
    expect(schema).toContain('"default":false');
    for (const [name, field] of Object.entries(imageQuerySchema.shape)) {
      const { description } = z.toJSONSchema(field as z.ZodType, { io: 'input' });
      expect(description, name).toMatch(/.{10,}/);
    }
  });
});
