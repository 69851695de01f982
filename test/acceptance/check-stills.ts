// Thumbnails and storyboards: sizes, and that each picture is the source's at its time.

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { apart, frameAt, mostAlike } from './align.ts';
import { checkSize, expectedSize } from './check-clip.ts';
import { checkPicturePrivacy } from './check-privacy.ts';
import type { Result } from './matrix.ts';
import type { Findings } from './report.ts';
import type { Shown, Truth } from './truth.ts';

interface Thumbnail {
  readonly at?: number | string;
  readonly count?: number;
  readonly width?: number;
  readonly format?: string;
}

interface Listed {
  readonly files: readonly { readonly file: string; readonly seconds?: number; readonly width: number }[];
}

export async function checkThumbnails(result: Result, truth: Truth, found: Findings): Promise<void> {
  const { at, count, width, format = 'jpeg' } = result.params as Thumbnail;
  const pictures = result.paths.filter((path) => !path.endsWith('.json'));
  found.within('number of pictures', pictures.length, count ?? 1, count ?? 1);
  const seen: Uint8Array[] = [];
  for (const path of pictures) {
    const bytes = await readFile(path);
    const told = await sharp(bytes).metadata();
    found.check(told.format === format, `is ${told.format}, not ${format}`);
    checkSize(told, expectedSize(truth.picture, { ...(width !== undefined && { width }) }), found);
    await checkPicturePrivacy(path, truth.looked, found);
    const pixels = await small(bytes, truth.picture.frames);
    const like = mostAlike(truth.picture.frames, pixels);
    found.check(
      like.likeness >= 0.95,
      `${basename(path)} is like the source only by ${like.likeness.toFixed(3)}`,
    );
    found.figure('difference', like.difference);
    seen.push(pixels);
  }
  if (at === 'best') {
    const { entropy } = await sharp(pictures[0]).stats();
    found.check(entropy > 3, `the best picture has an entropy of ${entropy.toFixed(1)}`);
  } else if (count === undefined) {
    const wanted = (truth.picture.end * Number.parseFloat(String(at))) / 100;
    checkMoment('the picture', seen[0], wanted, truth, found);
  } else {
    await checkList(result, seen, truth, found);
  }
}

/** It is of the second of film from a moment on, the best frame of which is taken. */
function checkMoment(
  what: string,
  pixels: Uint8Array | undefined,
  at: number,
  { picture }: Truth,
  found: Findings,
): void {
  if (pixels === undefined) return;
  const { frames, fps } = picture;
  const best = mostAlike(frames, pixels);
  const near = frames.times.filter((time) => time >= at - 0.3 && time <= at + 24 / fps + 0.3);
  // Pictures that stand still look the same at many times.
  const least = Math.min(...near.map((time) => apart(pixels, frameAt(frames, time))));
  const isThere = least <= best.difference * 1.1 + 0.5;
  found.check(isThere, `${what} shows second ${best.seconds.toFixed(2)}, not ${at.toFixed(2)}`);
}

/** Spread over the source, in its order, and told in the list. */
async function checkList(
  { paths, path }: Result,
  seen: readonly Uint8Array[],
  truth: Truth,
  found: Findings,
): Promise<void> {
  found.check(paths[0]?.endsWith('.json') === true, 'does not begin with its list');
  const { files } = JSON.parse(await readFile(paths[0] ?? '', 'utf8')) as Listed;
  found.within('length of the list', files.length, seen.length, seen.length);
  const { end } = truth.picture;
  let last = -Infinity;
  for (const [index, { file, seconds = Number.NaN }] of files.entries()) {
    found.check(paths.includes(path(file)), `lists ${file}, which is not there`);
    checkMoment(file, seen[index], seconds, truth, found);
    // The last moments of a source have no frame after them to choose from.
    if (end < 1) continue;
    const [from, to] = [(end * index) / files.length, (end * (index + 1)) / files.length];
    found.within(`moment of ${file}`, seconds, from - 0.1, to + 0.1);
    found.check(seconds > last, `${file} is not after the one before`);
    last = seconds;
  }
}

/** In the size in which pictures are compared, without transparency. */
export async function small(picture: Buffer | Sharp, { width, height }: Shown): Promise<Uint8Array> {
  const image = Buffer.isBuffer(picture) ? sharp(picture) : picture;
  return image
    .resize(width, height, { fit: 'fill', kernel: 'cubic' })
    .flatten({ background: '#000' })
    .toColourspace('srgb')
    .raw()
    .toBuffer();
}

interface Board {
  readonly everySeconds: number;
  readonly width: number;
  readonly columns: number;
  readonly rows: number;
}

const CUE =
  /^(\d{2}):(\d{2}):(\d{2}\.\d{3}) --> (\d{2}):(\d{2}):(\d{2}\.\d{3})\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$/;

export async function checkStoryboard(result: Result, truth: Truth, found: Findings): Promise<void> {
  const { everySeconds, width, columns, rows } = result.params as unknown as Board;
  const { picture } = truth;
  const text = await readFile(result.paths[0] ?? '', 'utf8');
  const [head, ...cues] = text.trim().split('\n\n');
  found.check(head === 'WEBVTT', `begins with ${head}`);
  const wanted = Math.ceil(picture.end / everySeconds - 0.01);
  found.within('number of cues', cues.length, wanted - 1, wanted + 1);
  for (const path of result.paths.slice(1)) await checkPicturePrivacy(path, truth.looked, found);
  let last = 0;
  let worst = 0;
  for (const [index, cue] of cues.entries()) {
    const parts = CUE.exec(cue);
    if (parts === null) {
      found.check(false, `has the cue ${cue}`);
      return;
    }
    const [h1, m1, s1, h2, m2, s2] = parts.slice(1, 7).map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const [from, to] = [h1 * 3600 + m1 * 60 + s1, h2 * 3600 + m2 * 60 + s2];
    found.check(Math.abs(from - last) < 0.002 && to > from, `cue ${index + 1} goes from ${from} to ${to}`);
    last = to;
    const sprite = result.path(parts[7] ?? '');
    found.check(result.paths.includes(sprite), `names ${parts[7]}, which is not there`);
    const [left, top, across, down] = parts.slice(8).map(Number) as [number, number, number, number];
    if (index === 0) checkSize({ width: across, height: down }, expectedSize(picture, { width }), found);
    const { width: whole, height: high } = await sharp(sprite).metadata();
    found.check(left + across <= whole && top + down <= high, `cue ${index + 1} lies outside its sprite`);
    found.check(whole <= columns * across && high <= rows * down, `the sprite is ${whole} × ${high}`);
    const tile = await sharp(sprite).extract({ left, top, width: across, height: down }).png().toBuffer();
    worst = Math.max(worst, await checkTile(tile, from, everySeconds, truth, found, index));
  }
  found.figure('tile s', worst);
  found.within(
    'end of the last cue',
    last,
    picture.end * 0.98 - 0.1,
    Math.max(truth.seconds, picture.end) * 1.02 + 0.1,
  );
}

/** A picture shows what is shown at its time: at most half a step from it. */
async function checkTile(
  tile: Buffer,
  from: number,
  everySeconds: number,
  { picture }: Truth,
  found: Findings,
  index: number,
): Promise<number> {
  const pixels = await small(tile, picture.frames);
  const like = mostAlike(picture.frames, pixels);
  // Pictures that stand still look the same at many times.
  const isThere = apart(pixels, frameAt(picture.frames, from)) <= like.difference * 1.1 + 1;
  const off = isThere ? 0 : like.seconds - Math.min(from, picture.end);
  found.check(like.difference < 14, `tile ${index + 1} is ${like.difference.toFixed(1)} from every frame`);
  found.within(
    `moment of tile ${index + 1}, from ${from} s,`,
    off,
    -everySeconds / 2 - 0.1,
    everySeconds / 2 + 0.1,
  );
  return Math.abs(off);
}
