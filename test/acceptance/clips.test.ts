// A few clips × a few outputs of the matrix that `npm run clips` runs whole; and that the eyes see what is wrong.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engine, ffmpeg, folder } from '../engines/video-fixtures.ts';
import type { Folder } from '../engines/video-fixtures.ts';
import { checkClip } from './check-clip.ts';
import { oddClips, sampleClips } from './clips.ts';
import type { Clip } from './clips.ts';
import { RECIPES } from './matrix.ts';
import { findings } from './report.ts';
import { runClip } from './run-clip.ts';
import { truthOf } from './truth.ts';
import type { Truth } from './truth.ts';

const videos = engine();
const samples = sampleClips();
let place: Folder;
let plain: Clip;
let truth: Truth;

beforeAll(async () => {
  place = await folder();
  [plain] = oddClips().filter(({ name }) => name === 'plain.mp4') as [Clip];
  truth = await truthOf(await plain.path(), plain.mediaType);
});
afterAll(async () => {
  await videos.close();
  await place[Symbol.asyncDispose]();
});

async function faultsOf(clip: Clip | undefined, ...outputs: readonly string[]): Promise<string[]> {
  if (clip === undefined) throw new Error('there is no such clip');
  const recipes = RECIPES.filter(({ name }) => outputs.includes(name));
  expect(recipes).toHaveLength(outputs.length);
  const { cells, faults } = await runClip(videos, clip, recipes);
  expect(cells).toHaveLength(outputs.length);
  return [
    ...faults,
    ...cells.flatMap(({ output, faults: found }) => found.map((fault) => `${output}: ${fault}`)),
  ];
}

describe('an odd clip', () => {
  const odd = Object.fromEntries(oddClips().map((clip) => [clip.name, clip]));

  it.each([
    ['late-sound.mkv', ['mp4', 'hls']],
    ['both-late.ts', ['hls-cut', 'board']],
    ['edit-list.mp4', ['trim']],
    ['turned-odd.mp4', ['cover', 'pv-mp4', 'probe']],
  ])('%s becomes %s as it should', async (name, outputs) => {
    expect(await faultsOf(odd[name], ...outputs)).toEqual([]);
  });
});

if (samples.length === 0)
  console.warn('The sample clips are not there: their part of the matrix is left out.');

describe.skipIf(samples.length === 0)('a sample clip', () => {
  const sample = (part: string): Clip | undefined => samples.find(({ name }) => name.includes(part));

  it.each([
    ['rotate90', ['trim']],
    ['240p-3s.gif', ['trim', 'board', 'mp3']],
  ])('%s becomes %s as it should', async (part, outputs) => {
    expect(await faultsOf(sample(part), ...outputs)).toEqual([]);
  });
});

describe('the eyes', () => {
  /** What is found wrong with a copy of the clip on which FFmpeg did something. */
  async function seen(...options: readonly string[]): Promise<string> {
    const path = place.join('wrong.mp4');
    const [first = '-vf -af'] = options;
    // What nothing is done to is taken over as it is.
    const picture = /^-(?:vf|r)/.test(first) ? ['-c:v', 'libx264', '-preset', 'ultrafast'] : ['-c:v', 'copy'];
    const sound = first.endsWith('-af') ? ['-c:a', 'aac'] : ['-c:a', 'copy'];
    const clean = ['-movflags', '+faststart', '-map_metadata', '-1'];
    await ffmpeg('-i', truth.path, ...picture, ...sound, ...clean, ...options, path);
    const found = findings();
    const result = {
      params: {},
      paths: [path],
      path: (file: string) => file,
      decisions: [],
      beeps: options[0] === '-af',
    };
    await checkClip(result, truth, { codec: 'h264' }, found);
    return found.faults.join('\n');
  }

  it('find nothing wrong with what is right', async () => {
    expect(await seen()).toBe('');
  });

  it.each([
    ['a mirrored picture', ['-vf', 'hflip'], /mirrored/],
    ['a picture upside down', ['-vf', 'vflip,hflip'], /upside down/],
    ['wrong colours', ['-vf', 'hue=h=60'], /colours are/],
    ['late sound', ['-af', 'adelay=80:all=1'], /the sound is 8\d ms late[^]*ms from its flashes/],
    ['sound that drifts', ['-af', 'atempo=0.96'], /at the end the sound is/],
    [
      'other sound',
      ['-af', 'volume=0,aeval=random(0)/4,aformat=channel_layouts=mono'],
      /the sound is like the source's only by/,
    ],
    ['fewer frames', ['-r', '12'], /number of frames is 50/],
    ['a place', ['-metadata', 'title=Home'], /has the tag title=Home/],
    ['a late index', ['-movflags', '-faststart'], /begins with ftyp, free, mdat, moov/],
  ])('see %s', async (_, options, fault) => {
    expect(await seen(...options)).toMatch(fault);
  });
});
