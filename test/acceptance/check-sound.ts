// Files of sound, and waveforms.

import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { matchSounds } from './align.ts';
import { checkFastStart, checkSync } from './check-clip.ts';
import { checkClipPrivacy, checkPicturePrivacy } from './check-privacy.ts';
import { lookAt, loudnessOf, RATE, soundOf, streamsOf } from './look.ts';
import type { Result } from './matrix.ts';
import type { Findings } from './report.ts';
import type { Truth } from './truth.ts';

const CODECS: Readonly<Record<string, string>> = {
  aac: 'aac',
  mp3: 'mp3',
  opus: 'opus',
  flac: 'flac',
  wav: 'pcm_s16le',
};

interface Audio {
  readonly format: string;
  readonly channels?: number;
  readonly loudness?: number;
  readonly start?: number;
  readonly end?: number;
}

export async function checkAudio(result: Result, truth: Truth, found: Findings): Promise<void> {
  const { format, channels, loudness, start = 0, end = Infinity } = result.params as unknown as Audio;
  const { sound } = truth;
  const [path = ''] = result.paths;
  if (sound === null) return found.check(false, 'there is nothing to hear in the source');
  const looked = await lookAt(path);
  const [stream, ...others] = looked.streams;
  found.check(others.length === 0, `has ${looked.streams.length} streams`);
  found.check(stream?.codec_name === CODECS[format], `is ${stream?.codec_name}`);
  const wanted = channels ?? Math.min(2, sound.stream.channels ?? 2);
  found.check(stream?.channels === wanted, `has ${stream?.channels} channels, not ${wanted}`);
  if (format === 'aac') await checkFastStart(path, found);
  await checkClipPrivacy(path, truth.looked, found);

  // FFmpeg gives MP3 a start of its encoder's delay, which it and other players take away.
  const samples = await soundOf(path, { absolute: format !== 'mp3' });
  const length = Math.min(end, sound.end) - start;
  const room = Math.max(2 / truth.picture.fps, length * 0.01);
  found.within('end of the sound', samples.length / RATE, length - room, length + room);
  // ffprobe counts what the encoder of MP3 puts before and after the sound: up to four of its frames.
  const more = format === 'mp3' ? (4 * 576) / Number(stream?.sample_rate) : 0;
  found.within('duration', Number(looked.format.duration), length - room, length + room + more);
  const stop = samples.length / RATE;
  for (const [place, stretch] of [
    ['start', { from: 0, to: Math.min(3, stop) }],
    ['end', { from: Math.max(0, stop - 3), to: stop }],
  ] as const) {
    const heard = matchSounds(sound.samples, samples, stretch, start);
    if (heard !== null) checkSync(heard, 0, place, found);
  }
  // EBU R128 needs 400 ms for one block, and some of them to be worth a figure.
  if (loudness === undefined || length < 1) return;
  const measured = await loudnessOf(path);
  if (measured === -70 || Number.isNaN(measured)) return;
  found.figure('LU', measured - loudness);
  found.within('loudness', measured, loudness - 0.5, loudness + 0.5);
  found.check(streamsOf(looked, 'video').length === 0, 'has a picture');
}

/** Samples per second that are looked at for peaks. */
const PEAK_RATE = 16_000;

interface Peaks {
  readonly version: number;
  readonly channels: number;
  readonly sample_rate: number;
  readonly samples_per_pixel: number;
  readonly bits: number;
  readonly length: number;
  readonly data: readonly number[];
}

export async function checkWaveform(result: Result, truth: Truth, found: Findings): Promise<void> {
  const { sound } = truth;
  const [picture = '', json = ''] = result.paths;
  if (sound === null) return found.check(false, 'there is nothing to draw in the source');
  const { format, width, height, hasAlpha } = await sharp(picture).metadata();
  found.check(
    format === 'png' && width === 800 && height === 140 && hasAlpha,
    `is ${format} ${width} × ${height}`,
  );
  await checkPicturePrivacy(picture, truth.looked, found);
  const { channels, dominant } = await sharp(picture).stats();
  const isDrawn = (channels[3]?.max ?? 0) > 200 && (channels[2]?.max ?? 0) > 200;
  found.check(isDrawn, `has nothing drawn: ${JSON.stringify(dominant)}`);

  const peaks = JSON.parse(await readFile(json, 'utf8')) as Peaks;
  found.check(
    peaks.version === 2 && peaks.channels === 1 && peaks.bits === 8,
    'is no audiowaveform version 2',
  );
  found.check(
    peaks.data.length === peaks.length * 2,
    `has ${peaks.data.length} values for ${peaks.length} pairs`,
  );
  found.within('number of pairs', peaks.length, 100, 200);
  const each = peaks.samples_per_pixel / peaks.sample_rate;
  found.within('end of the peaks', peaks.length * each, sound.end - 0.1, sound.end + each + 0.1);
  const ordered = peaks.data.every((value, index) => {
    const isInside = Number.isInteger(value) && value >= -128 && value <= 127;
    return isInside && (index % 2 === 0 || (peaks.data[index - 1] ?? 0) <= value);
  });
  found.check(ordered, 'has pairs out of order or out of range');
  const samples = await soundOf(truth.path, { stream: `${sound.stream.index}`, rate: PEAK_RATE });
  const heights = Array.from({ length: peaks.length }, (_, pair) => peaks.data[2 * pair + 1] ?? 0);
  const loud = heights.map((_, pair) => {
    const heard = samples.subarray(
      Math.round(pair * each * PEAK_RATE),
      Math.round((pair + 1) * each * PEAK_RATE),
    );
    return heard.reduce((most, sample) => Math.max(most, sample), 0);
  });
  const most = Math.max(...heights);
  const loudest = Math.max(...loud) * 127;
  // More than two channels are mixed so that none of it is clipped, however loud all of them are.
  found.within('highest peak', most, Math.min(loudest * 0.25, 100) - 3, loudest * 1.5 + 3);
  if (loudest < 1) return;
  const likeness = pearson(heights, loud);
  found.figure('peaks', likeness);
  // Where it is quiet, eight bits are too few for more.
  const least = most > 32 ? 0.85 : 0.3;
  found.check(likeness > least, `its peaks are like the sound only by ${likeness.toFixed(2)}`);
}

function pearson(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [products, squaresA, squaresB] = [0, 0, 0];
  for (const [index, value] of a.entries()) {
    const x = value - meanA;
    const y = (b[index] ?? 0) - meanB;
    products += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  return products / Math.sqrt(squaresA * squaresB);
}
