// JPEG XL in: sharp's build has no decoder for it, so FFmpeg makes a PNG of it first, where FFmpeg has libjxl.

import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalFile } from '../contracts.ts';
import type { ImageEngine } from '../engine-contracts.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { sniff, SNIFF_BYTES } from '../lib/media-type.ts';
import type { ImageOutput } from '../operations/image.ts';
import { readOwn } from '../lib/own-bytes.ts';
import { Problem } from '../problems.ts';
import { fileUrl } from './ffmpeg-input.ts';
import { FfmpegLog } from './ffmpeg-log.ts';
import { FfmpegTools } from './ffmpeg-tools.ts';
import { overloaded, overran } from './pool-problems.ts';

export interface JpegXlOptions {
  readonly ffmpegPath: string;
  readonly ffprobePath: string;
  /** Pixels of the picture. */
  readonly maxPixels: number;
  readonly deadlineSeconds: number;
  /** Decodes that may wait for the one that runs. */
  readonly queue: number;
  /** A new empty folder. */
  readonly scratch: (name: string) => Promise<LocalFile>;
  /** Counts the runs. */
  readonly metrics?: Pick<Metrics, 'ffmpegBegins' | 'mediaSeconds'>;
}

const MEDIA_TYPE = 'image/jxl';
/** Bytes of a pixel in the PNG at most, 16 bits of red, green, blue and alpha, and some for the frame. */
const PNG_BYTES_PER_PIXEL = 9;
/** PNG: signature, then IHDR, whose colour types 4 and 6 have an alpha channel (PNG 3rd edition, 11.2.1). */
const PNG_COLOUR_TYPE = 25;

/** An engine that takes JPEG XL too. One at a time: each is a process of its own beside the image threads. */
export function withJpegXl(engine: ImageEngine, options: JpegXlOptions): ImageEngine {
  const tools = new FfmpegTools({ ...options, timeoutSeconds: options.deadlineSeconds });
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  async function decode(
    source: Uint8Array,
    signal: AbortSignal,
    patient: boolean,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (!patient && waiting > options.queue) throw overloaded(options.queue, 2);
    waiting++;
    const turn = last.then(() => toPng(source, tools, options, signal));
    last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      waiting--;
    }
  }

  return {
    async render(source, outputs, how = {}) {
      if (!isJpegXl(source)) return engine.render(source, outputs, how);
      if (how.patient !== true) engine.admit();
      const png = await decode(source, how.signal ?? new AbortController().signal, how.patient === true);
      const rendering = await engine.render(png, written(outputs, png), how);
      return { ...rendering, source: { ...rendering.source, mediaType: MEDIA_TYPE } };
    },
    async inspect(source, fields, how = {}) {
      if (!isJpegXl(source)) return engine.inspect(source, fields, how);
      const bytes = source.byteLength;
      const png = await decode(source, how.signal ?? new AbortController().signal, false);
      const facts = await engine.inspect(png, fields, how);
      return {
        ...facts,
        ...(facts.mediaType !== undefined && { mediaType: MEDIA_TYPE }),
        ...(facts.format !== undefined && { format: 'jxl' }),
        ...(facts.bytes !== undefined && { bytes }),
      };
    },
    admit: () => engine.admit(),
    load: () => engine.load(),
    close: () => engine.close(),
  };
}

function isJpegXl(source: Uint8Array): boolean {
  return sniff(source.subarray(0, SNIFF_BYTES))?.mediaType === MEDIA_TYPE;
}

/** Browsers do not show JPEG XL: without a format named it becomes what a photograph, or a picture with alpha, is there. */
function written(outputs: readonly ImageOutput[], png: Uint8Array): ImageOutput[] {
  const alpha = png[PNG_COLOUR_TYPE] === 4 || png[PNG_COLOUR_TYPE] === 6;
  return outputs.map((output) =>
    output.format === undefined ? { ...output, format: alpha ? 'png' : 'jpeg' } : output,
  );
}

async function toPng(
  source: Uint8Array,
  tools: FfmpegTools,
  { maxPixels, deadlineSeconds, scratch }: JpegXlOptions,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  signal.throwIfAborted();
  await using folder = await scratch('jpeg-xl');
  const [from, to] = [join(folder.path, 'in.jxl'), join(folder.path, 'out.png')];
  await writeFile(from, source);
  const log = new FfmpegLog();
  const end = await tools.ffmpeg({
    args: jpegXlArguments(from, to, maxPixels),
    scratch: folder.path,
    fileBytes: maxPixels * PNG_BYTES_PER_PIXEL,
    signal,
    log,
    onProgress: () => undefined,
  });
  if (end.stopped === 'timeout') throw overran(deadlineSeconds);
  const made = end.code === 0 ? await readMade(to) : undefined;
  if (made !== undefined) return made;
  if (log.has(/exceeds specified max pixel count|Picture size .* is invalid/)) {
    throw new Problem(
      'image_too_large',
      `The JPEG XL has more than the ${maxPixels} pixels that are allowed.`,
    );
  }
  if (log.has(/Unknown input format|not on.* list|Decoder .* not found/)) {
    throw new Problem(
      'media_type_unsupported',
      'The FFmpeg of this server was built without JPEG XL. Send the picture as JPEG, PNG, WebP or AVIF.',
    );
  }
  throw new Problem(
    'image_unreadable',
    `The JPEG XL cannot be read: ${log.reason([folder.path]) || 'it is damaged or cut off'}.`,
  );
}

/** As the videos' commands: our own file only, the one demuxer, the one decoder, no metadata. */
export function jpegXlArguments(from: string, to: string, maxPixels: number): string[] {
  return [
    ...'-nostdin -hide_banner -y -nostats -loglevel level+warning -progress pipe:3'.split(' '),
    ...'-protocol_whitelist file -format_whitelist jpegxl_pipe -codec_whitelist libjxl'.split(' '),
    ...['-max_pixels', String(maxPixels), '-xerror', '-f', 'jpegxl_pipe', '-i', fileUrl(from)],
    // The PNG lives for a moment: written fast, not small.
    ...'-map 0:v:0 -frames:v 1 -map_metadata -1 -c:v png -compression_level 1 -f image2 -update 1'.split(' '),
    fileUrl(to),
  ];
}

/** A whole file, or undefined if there is none. */
async function readMade(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  await using file = await open(path).catch(() => undefined);
  return file && (await readOwn(file));
}
