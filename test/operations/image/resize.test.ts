// What resize and crop do beyond sharp: focus, densities, least and most, percent.

import { afterAll, describe, expect, it } from 'vitest';
import { output, picture, testPool } from '../../engines/pictures.ts';
import { sizeAfter } from '../../../src/operations/image-plan.ts';
import { made, near, patches } from './patches.ts';
import type { Step } from './patches.ts';

const engine = testPool();
afterAll(() => engine.close());

const sizeOf = (step: Step, width = 1200, height = 800) =>
  Object.values(sizeAfter(output({ steps: [step] }).steps[0]!, { width, height }));

describe('focus', () => {
  // A red spot at 300, 40 of 400 × 100.
  const spotted = () =>
    patches(400, 100, 'black', { left: 290, top: 30, width: 20, height: 20, colour: 'red' });

  it.each(['0.75,0.4', '300,40'])('%s is in the middle of what is kept', async (focus) => {
    const { width, height, at } = await made(engine, await spotted(), [
      { op: 'resize', width: 50, height: 50, fit: 'cover', focus },
    ]);
    expect([width, height]).toEqual([50, 50]);
    expect(near(at(25, 20), [255, 0, 0, 255], 8)).toBe(true);
  });

  it('near an edge keeps to the picture', async () => {
    for (const focus of ['0,0', '1,1', '99999,0']) {
      const { width } = await made(engine, await spotted(), [
        { op: 'resize', width: 50, height: 50, fit: 'cover', focus },
      ]);
      expect(width).toBe(50);
    }
  });

  it('goes with a JPEG on its side, cropped before', async () => {
    const source = await picture(200, 100).jpeg({ quality: 100 }).withMetadata({ orientation: 6 }).toBuffer();
    const whole = await made(engine, source, [{ op: 'crop', left: 0, top: 100, width: 100, height: 100 }]);
    const part = await made(engine, source, [
      { op: 'crop', left: 0, top: 100, width: 100, height: 100 },
      { op: 'resize', width: 100, height: 50, fit: 'cover', focus: '0.5,1' },
    ]);
    expect([part.width, part.height]).toEqual([100, 50]);
    expect(near(part.at(30, 40), whole.at(30, 90), 6)).toBe(true);
  });
});

describe('dpr', () => {
  it('multiplies all sides', () => {
    expect(sizeOf({ op: 'resize', width: 300, dpr: 2 })).toEqual([600, 400]);
    expect(sizeOf({ op: 'resize', width: 100, height: 100, fit: 'cover', dpr: 1.5 })).toEqual([150, 150]);
    expect(sizeOf({ op: 'resize', width: 100, minHeight: 100, dpr: 3 })).toEqual([450, 300]);
  });

  it('makes what it says', async () => {
    const source = await picture(120, 80).png().toBuffer();
    expect(
      await made(engine, source, [{ op: 'resize', width: 40, height: 40, fit: 'contain', dpr: 2 }]),
    ).toMatchObject({ width: 80, height: 80 });
  });
});

describe('least and most', () => {
  it.each<[Step, number[]]>([
    [{ op: 'resize', maxWidth: 600 }, [600, 400]],
    [{ op: 'resize', width: 900, maxHeight: 300 }, [450, 300]],
    [{ op: 'resize', minWidth: 2400 }, [2400, 1600]],
    [{ op: 'resize', width: 100, minWidth: 300 }, [300, 200]],
    [{ op: 'resize', width: 100, minHeight: 400, maxWidth: 150 }, [150, 100]],
    [{ op: 'resize', maxWidth: 5000 }, [1200, 800]],
  ])('%j', (step, size) => {
    expect(sizeOf(step)).toEqual(size);
  });

  it('are what the engine makes, also of an undecoded JPEG', async () => {
    const source = await picture(120, 80).jpeg().toBuffer();
    expect(await made(engine, source, [{ op: 'resize', width: 10, minHeight: 27 }])).toMatchObject({
      width: 41,
      height: 27,
    });
  });
});

describe('crop in percent', () => {
  it('goes by the size at that step', async () => {
    const source = await patches(80, 40, 'black', {
      left: 40,
      top: 20,
      width: 40,
      height: 20,
      colour: 'red',
    });
    const { width, height, at } = await made(engine, source, [
      { op: 'crop', left: 50, top: 50, width: 50, height: 50, unit: 'percent' },
    ]);
    expect([width, height]).toEqual([40, 20]);
    expect([at(0, 0), at(39, 19)]).toEqual([
      [255, 0, 0, 255],
      [255, 0, 0, 255],
    ]);
  });

  it('always leaves a pixel, and parts that meet', () => {
    const part = (left: number, width: number) =>
      sizeOf({ op: 'crop', left, top: 0, width, height: 0.001, unit: 'percent' }, 101, 3);
    expect(part(0, 50)[0]! + part(50, 50)[0]!).toBe(101);
    expect(part(99.999, 0.001)).toEqual([1, 1]);
  });
});
