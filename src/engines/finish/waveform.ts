// Peaks of raw samples, and a picture of them: read once as a stream, so that a film needs no more memory than a song.

import { createReadStream } from 'node:fs';
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseColour } from '../../lib/colour.ts';
import type { Colour } from '../../lib/colour.ts';
import { encodePng } from '../../lib/png.ts';
import type { Finish } from '../../operations/video/finish.ts';
import { textFile } from './follower.ts';
import type { FinishContext, Follower } from './follower.ts';
import { broken } from '../verify.ts';

type Waveform = Finish & { readonly type: 'waveform' };

const CHUNK_BYTES = 256 * 1024;
/** Pairs in the JSON, whatever is asked for: eleven hours at fifty a second. */
const MOST_PAIRS = 2_000_000;
const FULL_SCALE = 32_768;
/** Steps between background and wave: soft edges. */
const SHADES = 16;

/** Lowest and highest sample of each stretch. */
export interface Peaks {
  readonly low: Int16Array;
  readonly high: Int16Array;
}

export function finishWaveform(finish: Waveform, context: FinishContext): Follower {
  return {
    async end([piece]) {
      const raw = piece?.files[0];
      if (raw === undefined) throw broken('waveform', 'it has no samples', null);
      const { sampleRate, image } = finish;
      const samples = Math.floor((await stat(raw.path)).size / 2);
      const samplesPerPeak = stretchOf(finish, samples);
      // A few stretches for each column of the picture, so that none of them is much wider than the next.
      const perColumn = Math.max(1, Math.floor(samples / (4 * image.width)));
      const [peaks, columns] = await readPeaks(
        raw.path,
        samples,
        [samplesPerPeak, perColumn],
        context.signal,
      );
      await rm(raw.path);
      const png = drawWave(columns, image);
      const path = join(context.folder, 'waveform.png');
      await writeFile(path, png);
      const { width, height } = image;
      const picture = {
        file: 'waveform.png',
        path,
        mediaType: 'image/png',
        bytes: png.length,
        width,
        height,
      };
      const json = await textFile(
        context,
        'peaks.json',
        'application/json',
        peaksJson(peaks, sampleRate, samplesPerPeak),
      );
      return { files: [picture, json], size: { width, height }, durationSeconds: samples / sampleRate };
    },
  };
}

/** Samples of one pair. */
function stretchOf({ wanted, sampleRate }: Waveform, samples: number): number {
  const stretch =
    'peaks' in wanted ? Math.ceil(samples / wanted.peaks) : Math.round(sampleRate / wanted.peaksPerSecond);
  return Math.max(1, stretch, Math.ceil(samples / MOST_PAIRS));
}

/** One reading for several stretches, in samples. */
export async function readPeaks(
  path: string,
  samples: number,
  stretches: readonly [number, number],
  signal: AbortSignal,
): Promise<readonly [Peaks, Peaks]> {
  const [first, second] = [new Row(stretches[0], samples), new Row(stretches[1], samples)];
  let odd = Buffer.alloc(0);
  for await (const read of createReadStream(path, {
    highWaterMark: CHUNK_BYTES,
    signal,
  }) as AsyncIterable<Buffer>) {
    const bytes = odd.length === 0 ? read : Buffer.concat([odd, read]);
    const even = bytes.length - (bytes.length % 2);
    odd = Buffer.from(bytes.subarray(even));
    first.feed(bytes.subarray(0, even));
    second.feed(bytes.subarray(0, even));
  }
  return [first.end(), second.end()];
}

/** Gathers the extremes of equally long stretches. */
class Row {
  readonly #stretch: number;
  readonly #low: Int16Array;
  readonly #high: Int16Array;
  #place = 0;
  #left: number;
  #lowest = FULL_SCALE;
  #highest = -FULL_SCALE;

  constructor(stretch: number, samples: number) {
    const count = Math.ceil(samples / stretch);
    this.#stretch = stretch;
    this.#left = stretch;
    this.#low = new Int16Array(count);
    this.#high = new Int16Array(count);
  }

  feed(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += 2) {
      const value = bytes.readInt16LE(at);
      if (value < this.#lowest) this.#lowest = value;
      if (value > this.#highest) this.#highest = value;
      if (--this.#left === 0) this.#write();
    }
  }

  #write(): void {
    this.#low[this.#place] = this.#lowest;
    this.#high[this.#place] = this.#highest;
    this.#place++;
    this.#left = this.#stretch;
    this.#lowest = FULL_SCALE;
    this.#highest = -FULL_SCALE;
  }

  end(): Peaks {
    if (this.#left < this.#stretch) this.#write();
    return { low: this.#low, high: this.#high };
  }
}

/** The format of BBC's audiowaveform, version 2, with 8 bits: lowest and highest by turns. */
export function peaksJson({ low, high }: Peaks, sampleRate: number, samplesPerPeak: number): string {
  const data: number[] = [];
  for (const [index, lowest] of low.entries()) data.push(lowest >> 8, (high[index] ?? 0) >> 8);
  return JSON.stringify({
    version: 2,
    channels: 1,
    sample_rate: sampleRate,
    samples_per_pixel: samplesPerPeak,
    bits: 8,
    length: low.length,
    data,
  });
}

/** A PNG of the wave around its middle line, full scale from edge to edge. */
export function drawWave(peaks: Peaks, { width, height, colour, background }: Waveform['image']): Buffer {
  const pixels = new Uint8Array(width * height);
  const middle = height / 2;
  for (let column = 0; column < width; column++) {
    const [low, high] = extremes(peaks, column, width);
    const top = middle - (high / FULL_SCALE) * middle;
    // Silence is a line of one pixel.
    const bottom = Math.max(top + 1, middle - (low / FULL_SCALE) * middle);
    for (let row = Math.max(0, Math.floor(top)); row < Math.min(height, bottom); row++) {
      const covered = Math.min(row + 1, bottom) - Math.max(row, top);
      pixels[row * width + column] = Math.round(covered * (SHADES - 1));
    }
  }
  return encodePng({ width, height }, shades(parseColour(background), parseColour(colour)), pixels);
}

function extremes({ low, high }: Peaks, column: number, width: number): readonly [number, number] {
  const from = Math.floor((column * low.length) / width);
  const to = Math.max(from + 1, Math.floor(((column + 1) * low.length) / width));
  let [lowest, highest] = [FULL_SCALE, -FULL_SCALE];
  for (let place = from; place < to; place++) {
    lowest = Math.min(lowest, low[place] ?? 0);
    highest = Math.max(highest, high[place] ?? 0);
  }
  return [lowest, highest];
}

/** From one colour to the other. Colours are weighed by their opacity: what cannot be seen must not darken an edge. */
function shades(from: Colour, to: Colour): Colour[] {
  return Array.from({ length: SHADES }, (_, shade) => {
    const share = shade / (SHADES - 1);
    const alpha = from.alpha * (1 - share) + to.alpha * share;
    const mix = (channel: 'r' | 'g' | 'b') =>
      alpha === 0
        ? to[channel]
        : Math.round((from[channel] * from.alpha * (1 - share) + to[channel] * to.alpha * share) / alpha);
    return { r: mix('r'), g: mix('g'), b: mix('b'), alpha };
  });
}
