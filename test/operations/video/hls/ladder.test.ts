import { describe, expect, it } from 'vitest';
import { ladderFor } from '../../../../src/operations/video/hls/ladder.ts';
import type { LadderWish } from '../../../../src/operations/video/hls/ladder.ts';
import { seededRandom } from '../../../support/random.ts';

const size = (width: number, height: number) => ({ width, height });

function ladder(wish: Partial<LadderWish> & Pick<LadderWish, 'shown'>) {
  return ladderFor({ fps: 25, sourceKbps: null, codec: 'h264', ...wish });
}

function sizes(wish: Partial<LadderWish> & Pick<LadderWish, 'shown'>): string {
  return ladder(wish)
    .rungs.map((rung) => `${rung.size.width}x${rung.size.height}`)
    .join(' ');
}

describe('the rungs that are chosen', () => {
  it.each([
    ['the usual six', size(3840, 2160), '3840x2160 2560x1440 1920x1080 1280x720 854x480 640x360'],
    ['of 8K: no more than 2160', size(7680, 4320), '3840x2160 2560x1440 1920x1080 1280x720 854x480 640x360'],
    ['of 1080', size(1920, 1080), '1920x1080 1280x720 854x480 640x360 426x240'],
    ['of a portrait: the short side counts', size(1080, 1920), '1080x1920 720x1280 480x854 360x640 240x426'],
    ['its own size between two rungs', size(1600, 900), '1600x900 1280x720 854x480 640x360 426x240'],
    ['its own size, so close to 480 that this is left out', size(960, 540), '960x540 640x360 426x240'],
    ['cinema: 720 is too close to 804', size(1920, 804), '1920x804 1146x480 860x360 574x240'],
    ['a square', size(1080, 1080), '1080x1080 720x720 480x480 360x360 240x240'],
    ['just above a rung', size(1934, 1088), '1934x1088 1280x720 854x480 640x360 426x240'],
    ['odd sides become even', size(853, 481), '852x480 638x360 426x240'],
    ['PAL', size(1024, 576), '1024x576 854x480 640x360 426x240'],
    ['a small source has one', size(320, 180), '320x180'],
    ['a tiny source too', size(16, 10), '16x10'],
    ['and a single pixel', size(1, 1), '2x2'],
    ['a sliver', size(4000, 40), '4000x40'],
  ])('%s', (_, shown, expected) => {
    expect(sizes({ shown })).toBe(expected);
  });

  it('are even, never larger than the source, and far enough apart, whatever its size', () => {
    const random = seededRandom(4);
    for (let round = 0; round < 500; round++) {
      const shown = size(random.between(2, 8192), random.between(2, 8192));
      const { rungs } = ladder({ shown, codec: random.pick(['h264', 'hevc', 'av1'] as const) });
      expect(rungs.length >= 1 && rungs.length <= 6).toBe(true);
      expect(new Set(rungs.map(({ name }) => name)).size).toBe(rungs.length);
      for (const [index, rung] of rungs.entries()) {
        const { width, height } = rung.size;
        expect([width % 2, height % 2]).toEqual([0, 0]);
        expect(width <= shown.width && height <= shown.height).toBe(true);
        expect(rung.height).toBe(Math.min(width, height));
        expect(rung.name).toBe(`v${rung.height}`);
        expect(rung.maxKbps).toBeGreaterThanOrEqual(rung.avgKbps);
        const above = rungs[index - 1];
        if (above === undefined) continue;
        // Sides were made even after they had been compared.
        expect(above.height).toBeGreaterThan(rung.height * 1.14);
        expect(above.avgKbps).toBeGreaterThanOrEqual(rung.avgKbps);
      }
    }
  });
});

describe('the rungs that are asked for', () => {
  it.each([
    ['as they are, in order', [360, 1080, 720], '1920x1080 1280x720 640x360'],
    ['close ones too: they were asked for', [720, 700], '1280x720 1244x700'],
    ['each once', [720, 720, 721], '1282x720'],
    ['any number', [405], '720x404'],
  ])('are %s', (_, heights, expected) => {
    expect(sizes({ shown: size(1920, 1080), heights })).toBe(expected);
  });

  it.each([
    [
      'one above the source: its own size instead',
      size(1000, 562),
      [1080, 360],
      '1000x562 640x360',
      "1080 is left out: the source's short side is 562, and nothing is enlarged; its own size is the top rung instead",
    ],
    [
      'two above it, and one that is nearly as large',
      size(1280, 720),
      [1440, 1080, 700, 360],
      '1244x700 640x360',
      "1440, 1080 are left out: the source's short side is 720, and nothing is enlarged",
    ],
    [
      'all above it',
      size(320, 180),
      [720],
      '320x180',
      "720 is left out: the source's short side is 180, and nothing is enlarged; its own size is the top rung instead",
    ],
  ])('%s', (_, shown, heights, expected, decision) => {
    expect(sizes({ shown, heights })).toBe(expected);
    expect(ladder({ shown, heights }).decisions).toContain(decision);
  });

  it('say what came of them', () => {
    const { decisions } = ladder({ shown: size(1920, 1080), heights: [1080, 480] });
    expect(decisions).toEqual(['2 rungs: 1920×1080, 854×480']);
    expect(ladder({ shown: size(300, 200) }).decisions).toEqual(['one rung: 300×200']);
  });
});

describe('bitrates', () => {
  const rates = (wish: Partial<LadderWish> & Pick<LadderWish, 'shown'>) =>
    ladder(wish).rungs.map(({ avgKbps, maxKbps }) => [avgKbps, maxKbps]);
  const hd = size(1920, 1080);
  const heights = [1080, 720, 540, 360];

  it.each([
    [
      'H.264 as Apple has them',
      {},
      [
        [4500, 6000],
        [3000, 4000],
        [2000, 2670],
        [370, 490],
      ],
    ],
    [
      'HEVC',
      { codec: 'hevc' },
      [
        [2700, 3600],
        [1800, 2400],
        [1200, 1600],
        [220, 290],
      ],
    ],
    [
      'AV1',
      { codec: 'av1' },
      [
        [2250, 3000],
        [1500, 2000],
        [1000, 1330],
        [180, 240],
      ],
    ],
    [
      'sixty frames',
      { fps: 59.94 },
      [
        [6750, 9000],
        [4500, 6000],
        [3000, 4000],
        [550, 730],
      ],
    ],
    [
      'thirty frames of a phone',
      { fps: 30.02 },
      [
        [4500, 6000],
        [3000, 4000],
        [2000, 2670],
        [370, 490],
      ],
    ],
    [
      'an unknown rate',
      { fps: null },
      [
        [4500, 6000],
        [3000, 4000],
        [2000, 2670],
        [370, 490],
      ],
    ],
  ] as const)('of %s', (_, wish, expected) => {
    expect(rates({ shown: hd, heights, ...wish })).toEqual(expected);
  });

  it('above 1080, and between the rows', () => {
    expect(rates({ shown: size(3840, 2160), heights: [2160, 1440] })).toEqual([
      [14_000, 18_670],
      [8000, 10_670],
    ]);
    const [[between] = []] = rates({ shown: hd, heights: [480] });
    expect(between).toBeGreaterThan(1100);
    expect(between).toBeLessThan(2000);
  });

  it('follow the pixels: a portrait has as many, a square fewer, a panorama more', () => {
    expect(rates({ shown: size(1080, 1920), heights })).toEqual(rates({ shown: hd, heights }));
    const [[square = 0] = []] = rates({ shown: size(1080, 1080), heights: [1080] });
    const [[panorama = 0] = []] = rates({ shown: size(3840, 1080), heights: [1080] });
    expect([square < 4500, panorama > 4500]).toEqual([true, true]);
  });

  it('are held back where the source itself has few', () => {
    const held = ladder({ shown: hd, heights, sourceKbps: 2000 });
    expect(held.rungs.map(({ avgKbps }) => avgKbps)).toEqual([3000, 1630, 1060, 370]);
    expect(held.decisions).toContain('bitrates held back: the source itself has 2000 kb/s');
    // But not to nothing: a source's rate may be wrong.
    expect(ladder({ shown: hd, heights, sourceKbps: 1 }).rungs[0]?.avgKbps).toBe(1130);
    const rich = ladder({ shown: hd, heights, sourceKbps: 20_000 });
    expect(rich.decisions).toHaveLength(1);
    expect(rich.rungs[0]?.avgKbps).toBe(4500);
  });
});
