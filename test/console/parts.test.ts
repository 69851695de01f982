// The small parts of the console that need no browser: places in documents, words, the map of a storyboard.

import { describe, expect, it } from 'vitest';
import { readStoryboard, tileAt } from '../../src/console/elements/storyboard-map.ts';
import { move, problemsByPlace, put } from '../../src/console/place.ts';
import { ago, bytes, clock, counted, saving, spaced, span } from '../../src/console/words.ts';

describe('places', () => {
  const recipe = {
    outputs: {
      a: { type: 'image', steps: [{ op: 'blur', sigma: 1 }, { op: 'flip' }] },
      b: { type: 'probe' },
    },
  };

  it('a value is put where it belongs, and nothing else is touched', () => {
    const next = put(recipe, ['outputs', 'a', 'steps', 0, 'sigma'], 4) as typeof recipe;
    expect(next.outputs.a.steps).toEqual([{ op: 'blur', sigma: 4 }, { op: 'flip' }]);
    expect(next.outputs.b).toBe(recipe.outputs.b);
    expect(recipe.outputs.a.steps[0]).toEqual({ op: 'blur', sigma: 1 });
  });

  it('undefined takes a field or an entry away; what was not there is made', () => {
    expect(put(recipe, ['outputs', 'a', 'steps', 0], undefined)).toMatchObject({
      outputs: { a: { steps: [{ op: 'flip' }] } },
    });
    expect(Object.keys((put(recipe, ['outputs', 'a'], undefined) as typeof recipe).outputs)).toEqual(['b']);
    expect(put({}, ['watermark', 'image'], 'upload:1')).toEqual({ watermark: { image: 'upload:1' } });
  });

  it('entries are moved within the list only', () => {
    expect(move(['a', 'b', 'c'], 2, 0)).toEqual(['c', 'a', 'b']);
    expect(move(['a', 'b', 'c'], 0, 1)).toEqual(['b', 'a', 'c']);
    expect(move(['a'], 0, 1)).toEqual(['a']);
    expect(move(['a'], 0, -1)).toEqual(['a']);
  });

  it('problems are told at their field, several of one field together', () => {
    const errors = [
      { field: 'recipe.outputs.a.type', message: 'is missing' },
      { field: 'outputs.a.type', message: 'must be text' },
    ];
    expect([...problemsByPlace(errors)]).toEqual([['outputs.a.type', 'is missing; must be text']]);
  });
});

describe('words', () => {
  it.each([
    [bytes(999), '999 B'],
    [bytes(1000), '1.0 kB'],
    [bytes(123_456_789), '123 MB'],
    [bytes(null), '–'],
    [clock(7), '0:07'],
    [clock(3723), '1:02:03'],
    [clock(Infinity), '–:––'],
    [counted(1, 'job'), '1 job'],
    [counted(0, 'job'), '0 jobs'],
    [span(3.21), '3.2 s'],
    [span(125), '2 min 5 s'],
    [span(7300), '2 h 1 min'],
    [saving(28, 100), '−72 %'],
    [saving(150, 100), '+50 %'],
    [saving(5, 0), ''],
    [spaced('imageSet'), 'image set'],
    [spaced('maxBitrate'), 'max bitrate'],
    [ago('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:05:00Z')), '5 min ago'],
  ])('%s is %s', (said, wanted) => {
    expect(said).toBe(wanted);
  });
});

describe('the map of a storyboard', () => {
  const map = [
    'WEBVTT',
    '00:00:00.000 --> 00:00:05.000\nsprite-001.jpg#xywh=0,0,160,90',
    '00:00:05.000 --> 00:00:10.500\nsprite-001.jpg#xywh=160,0,160,90',
    '01:00:10.500 --> 01:00:12.000\nsprite-002.jpg#xywh=0,90,160,90',
  ].join('\n\n');
  const tiles = readStoryboard(map, 'http://host/v1/jobs/1/outputs/strip/map.vtt');

  it('is read with addresses beside it', () => {
    expect(tiles).toHaveLength(3);
    expect(tiles[1]).toEqual({
      ...{ from: 5, to: 10.5, x: 160, y: 0, width: 160, height: 90 },
      url: 'http://host/v1/jobs/1/outputs/strip/sprite-001.jpg',
    });
    expect(tiles[2]?.from).toBe(3610.5);
  });

  it('says which picture shows a moment; after the end it is the last', () => {
    expect(tileAt(tiles, 5)).toBe(tiles[1]);
    expect(tileAt(tiles, 9999)).toBe(tiles[2]);
    expect(tileAt([], 0)).toBeUndefined();
  });
});
