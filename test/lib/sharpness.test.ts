import { expect, it } from 'vitest';
import { luminance } from '../../src/lib/luminance.ts';
import { varianceOfLaplacian } from '../../src/lib/sharpness.ts';

const side = 32;
const grey = (value: (x: number, y: number) => number): number[] =>
  Array.from({ length: side * side }, (_, i) => value(i % side, Math.floor(i / side)));

it('is 0 where nothing changes, or changes evenly', () => {
  expect(
    varianceOfLaplacian(
      grey(() => 80),
      side,
      side,
    ),
  ).toBe(0);
  expect(
    varianceOfLaplacian(
      grey((x, y) => x * 3 + y),
      side,
      side,
    ),
  ).toBe(0);
  expect(varianceOfLaplacian([1, 2, 3, 4], 2, 2)).toBe(0);
});

it('is larger the harder the edges are', () => {
  const hard = varianceOfLaplacian(
    grey((x) => (x < side / 2 ? 0 : 255)),
    side,
    side,
  );
  const soft = varianceOfLaplacian(
    grey((x) => 255 / (1 + Math.exp(side / 2 - x))),
    side,
    side,
  );
  const checks = varianceOfLaplacian(
    grey((x, y) => ((x + y) % 2) * 255),
    side,
    side,
  );
  expect(soft).toBeGreaterThan(0);
  expect(hard).toBeGreaterThan(soft * 5);
  expect(checks).toBeGreaterThan(hard);
});

it('sees a picture as on white', () => {
  const luma = luminance(Uint8Array.from([0, 0, 0, 255, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 51]));
  expect([...luma].map(Math.round)).toEqual([0, 255, 255, 204]);
});
