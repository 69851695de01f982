// Results that show moments one after the other: previews, and a clip joined with itself.

import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { matchPictures, matchSounds, mostAlike } from './align.ts';
import { checkFastStart, checkLikeness, checkSize, checkSync, expectedSize } from './check-clip.ts';
import { checkClipPrivacy, checkPicturePrivacy } from './check-privacy.ts';
import { small } from './check-stills.ts';
import { framesOf, lookAt, RATE, soundOf, streamsOf } from './look.ts';
import type { Frames } from './look.ts';
import type { Result } from './matrix.ts';
import type { Findings } from './report.ts';
import { shownSize } from './truth.ts';
import type { Truth } from './truth.ts';

interface Preview {
  readonly moments: number;
  readonly secondsEach: number;
  readonly width: number;
  readonly format?: string;
}

export async function checkPreview(result: Result, truth: Truth, found: Findings): Promise<void> {
  const { moments, secondsEach, width, format = 'webp' } = result.params as unknown as Preview;
  const [path = ''] = result.paths;
  found.within('number of files', result.paths.length, 1, 1);
  const wanted = Math.min(moments * secondsEach, truth.picture.end);
  const { seconds, frames } =
    format === 'webp' ? await webpFrames(path, truth) : await movingFrames(path, truth);
  const size = format === 'webp' ? await sharp(path).metadata() : await sizeOf(path, format, found);
  checkSize(size, expectedSize(truth.picture, { width }), found);
  found.within('duration', seconds, wanted * 0.9 - 0.2, wanted * 1.1 + 0.2);
  found.check(frames.times.length > Math.min(2, truth.picture.frames.times.length - 1), 'does not move');
  await (format === 'mp4' ? checkClipPrivacy : checkPicturePrivacy)(path, truth.looked, found);
  // The palette of a GIF and few bits change colours.
  const seen = frames.times.map((_, index) => {
    const bytes = frames.width * frames.height * 3;
    return mostAlike(truth.picture.frames, frames.pixels.subarray(index * bytes, (index + 1) * bytes));
  });
  const worst = Math.max(...seen.map(({ difference }) => difference));
  found.figure('difference', worst);
  found.check(worst < 16, `a frame is ${worst.toFixed(1)} from every frame of the source`);
  const [from = 0, to = 0] = [Math.min, Math.max].map((choose) =>
    choose(...seen.map(({ seconds: at }) => at)),
  );
  found.check(to - from > truth.picture.end * 0.3, `shows only ${from.toFixed(2)} to ${to.toFixed(2)} s`);
}

async function webpFrames(path: string, { picture }: Truth): Promise<{ seconds: number; frames: Frames }> {
  const bytes = await readFile(path);
  const { pages = 1, delay = [] } = await sharp(bytes).metadata();
  const { width, height } = picture.frames;
  const pixels: Uint8Array[] = [];
  for (let page = 0; page < pages; page++) {
    pixels.push(await small(sharp(bytes, { page }), { width, height }));
  }
  const seconds = delay.reduce((sum, milliseconds) => sum + milliseconds, 0) / 1000;
  return {
    seconds,
    frames: {
      width,
      height,
      times: pixels.map((_, index) => index),
      pixels: Buffer.concat(pixels),
      errors: [],
    },
  };
}

async function movingFrames(path: string, { picture }: Truth): Promise<{ seconds: number; frames: Frames }> {
  const { format } = await lookAt(path);
  return { seconds: Number(format.duration), frames: await framesOf(path, picture.frames) };
}

async function sizeOf(path: string, format: string, found: Findings) {
  const looked = await lookAt(path);
  const [video] = streamsOf(looked, 'video');
  if (video === undefined) throw new Error('the preview has no picture');
  found.check(video.codec_name === (format === 'gif' ? 'gif' : 'h264'), `is ${video.codec_name}`);
  found.check(streamsOf(looked, 'audio').length === 0, 'has sound');
  if (format === 'mp4') {
    found.check(video.pix_fmt === 'yuv420p', `has pixels of ${video.pix_fmt}`);
    await checkFastStart(path, found);
  }
  return shownSize(video);
}

export async function checkConcat(result: Result, truth: Truth, found: Findings): Promise<void> {
  const { height } = result.params as { height: number };
  const [path = ''] = result.paths;
  const looked = await lookAt(path);
  const [video] = streamsOf(looked, 'video');
  if (video === undefined) return found.check(false, 'has no picture');
  checkSize(shownSize(video), expectedSize(truth.picture, { height }), found);
  found.check(
    video.codec_name === 'h264' && video.pix_fmt === 'yuv420p',
    `is ${video.codec_name} ${video.pix_fmt}`,
  );
  await checkFastStart(path, found);
  await checkClipPrivacy(path, truth.looked, found);
  const frames = await framesOf(path, truth.picture.frames, { absolute: true });
  const { fps, end } = truth.picture;
  // A part is as long as the longer of its picture and its sound.
  const { seconds } = truth;
  const room = Math.max(2 / fps, 0.02 * seconds);
  found.within(
    'duration',
    Number(looked.format.duration),
    2 * Math.min(end, seconds) - room,
    2 * seconds + room,
  );
  const hasSound = streamsOf(looked, 'audio').length === 1;
  found.check(hasSound === (truth.sound !== null), `has ${hasSound ? '' : 'no '}sound`);
  const samples = hasSound ? await soundOf(path, { absolute: true }) : null;
  const second = Number(looked.format.duration) / 2;
  for (const [part, begin] of [
    ['first part', 0],
    ['second part', second],
  ] as const) {
    for (const [place, from] of [
      ['start', 0.1],
      ['end', Math.max(0.1, end - 1.2)],
    ] as const) {
      const stretch = { from: begin + from, to: begin + Math.min(end - 0.1, from + 1) };
      const seen = matchPictures(truth.picture.frames, frames, stretch, -begin);
      if (seen === null) {
        if (end > 0.5) found.check(false, `has no picture at the ${place} of the ${part}`);
        continue;
      }
      checkLikeness(seen, `${place} of the ${part}`, found);
      found.figure('picture ms', seen.shift * 1000);
      found.within(
        `delay of the picture at the ${place} of the ${part}`,
        seen.shift,
        -2 / fps - 0.01,
        2 / fps + 0.01,
      );
      if (samples === null || truth.sound === null) continue;
      const stop = Math.min(samples.length / RATE, begin + truth.sound.end);
      const listen =
        place === 'start'
          ? { from: begin, to: Math.min(stop, begin + 3) }
          : { from: Math.max(begin, stop - 3), to: stop };
      const heard = matchSounds(truth.sound.samples, samples, listen, -begin);
      if (heard !== null) checkSync(heard, seen.shift, `${place} of the ${part}`, found);
    }
  }
}
