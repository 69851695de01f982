import { describe, expect, it } from 'vitest';
import { laneFor, MAX_OUTPUTS, recipeSchema } from '../../src/jobs/recipe.ts';

const image = { type: 'image' };
const video = { type: 'transcode' };
const recipe = (outputs: Record<string, object>) => recipeSchema.parse({ outputs });

describe('recipeSchema', () => {
  it.each([
    [{}],
    [{ A: image }],
    [{ 'a/b': image }],
    [{ '': image }],
    [{ constructor: image }],
    [{ a: { type: 'unknown' } }],
    [{ a: { ...image, x: 1 } }],
  ])('refuses %j', (outputs) => {
    expect(recipeSchema.safeParse({ outputs }).success).toBe(false);
  });
  it('bounds the number of outputs', () => {
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`o${i}`, image]));
    expect(recipeSchema.safeParse({ outputs: many(MAX_OUTPUTS) }).success).toBe(true);
    expect(recipeSchema.safeParse({ outputs: many(MAX_OUTPUTS + 1) }).success).toBe(false);
  });
  it('says where a mistake is', () => {
    const parsed = recipeSchema.safeParse({ outputs: { small: { type: 'image', quality: 500 } } });
    expect(parsed.error?.issues[0]?.path).toEqual(['outputs', 'small', 'quality']);
  });
});

describe('laneFor', () => {
  it('puts images and videos into lanes of their own', () => {
    expect(laneFor(recipe({ a: image, b: image }), 'image/png')).toBe('image');
    expect(laneFor(recipe({ a: video }), 'video/mp4')).toBe('video');
    expect(laneFor(recipe({ a: video }), 'image/gif')).toBe('video');
  });
  it.each([
    [{ a: image, b: video }, 'video/mp4', 'recipe_invalid'],
    [{ a: image }, 'video/mp4', 'media_type_unsupported'],
    [{ a: video }, 'image/png', 'media_type_unsupported'],
  ])('refuses %j for %s', (outputs, mediaType, code) => {
    expect(() => laneFor(recipe(outputs), mediaType)).toThrow(expect.objectContaining({ code }));
  });
  it('tells who sent an image for a video where images go', () => {
    expect(() => laneFor(recipe({ a: video }), 'image/jpeg')).toThrow(
      'The file is image/jpeg, but video outputs are asked for. Send images to POST /v1/images, or ask for outputs of type "image".',
    );
  });
});
