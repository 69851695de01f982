// Looks at every packet of long films: however many lines that is, however long it takes.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { countFrames } from '../../src/engines/chunk-checks.ts';
import { FfmpegTools } from '../../src/engines/ffmpeg-tools.ts';
import { folder, script } from './video-fixtures.ts';
import type { Folder } from './video-fixtures.ts';

let place: Folder;

beforeAll(async () => {
  place = await folder();
});
afterAll(() => place[Symbol.asyncDispose]());

/** Counts what an ffprobe prints that says so many times, 25 a second. */
async function counted(frames: number, maxSeconds: number): Promise<number> {
  const print = `awk 'BEGIN { for (i = 0; i < ${frames}; i++) printf "%.6f\\n", i / 25 }'`;
  const ffprobePath = await script(place.join(`ffprobe-${frames}`), print);
  const tools = new FfmpegTools({ ffmpegPath: 'ffmpeg', ffprobePath, timeoutSeconds: 60 });
  return countFrames(
    0,
    { over: 25, under: 1, value: 25 },
    {
      tools,
      place: {
        source: { path: place.join('film.mp4'), mediaType: 'video/mp4' },
        assets: new Map(),
        scratch: place.path,
        maxPixels: 1,
        maxSeconds,
      },
      signal: new AbortController().signal,
    },
  );
}

it('a film of four hours and more than 4 MiB of times is counted', async () => {
  expect(await counted(4 * 3600 * 25, 4 * 3600)).toBe(360_000);
});

it('a source with more frames than may be is given up', async () => {
  await expect(counted(20_000, 100)).rejects.toThrow('more frames than any');
});
