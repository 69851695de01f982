// The last pass of a rendition: writes it, and where a quality or a format is to be found, tries until it is.

import type { Sharp } from 'sharp';
import type { Phase } from '../src/engines/decoder-problem.ts';
import type { RenderedFile, RenderTask } from '../src/engines/image-task.ts';
import type { Encoding } from '../src/operations/encoding-plan.ts';
import type { Timing } from '../src/operations/formats/image-format-facts.ts';
import { imageFormats } from '../src/operations/image-format.ts';
import type { ImagePlan } from '../src/operations/image-plan.ts';
import { keeping } from './kept.ts';
import type { Keeping } from './kept.ts';
import { settle } from './passes.ts';
import { leastQuality } from './similarity.ts';

/** A rendition that only needs to be written. */
export interface Unwritten {
  /** The last pass, anew: without its encoder. */
  readonly image: () => Sharp | Promise<Sharp>;
  readonly plan: ImagePlan;
  /** For an animation whose own timing got lost on the way. */
  readonly timing: Timing | undefined;
  /** Of the last pass. */
  readonly phase: Phase;
}

/** One file of a search. */
interface Try {
  readonly file: Pick<RenderedFile, 'data' | 'width' | 'height'>;
  readonly encoding: Encoding;
  readonly quality: number | undefined;
}

type Write = (encoding: Encoding, quality: number | undefined) => Promise<Try>;

/** Writes a rendition as its plan says. Rejects with a Problem. */
export async function encode(rendition: Unwritten, task: RenderTask): Promise<RenderedFile> {
  const { plan, phase } = rendition;
  const { encodings, similarity, maxBytes } = plan.encoding;
  const [first] = encodings;
  if (first === undefined) throw new Error('a plan without an encoding');
  const keep = await keeping(plan, task);
  if (similarity === undefined && maxBytes === undefined) {
    const { file, decisions } = await keep.write(rendition.image, (image) =>
      settle(written(image, first, first.options.quality, rendition.timing), phase, task),
    );
    return { ...file, format: first.format, decisions };
  }
  return search(rendition, keep, task);
}

/** The pixels are made once, and written as often as it takes. */
async function search(rendition: Unwritten, keep: Keeping, task: RenderTask): Promise<RenderedFile> {
  const { plan, timing, phase } = rendition;
  const { encodings, similarity, maxBytes } = plan.encoding;
  const decisions: string[] = [...keep.decisions];
  const finished = await keep.finish(await rendition.image(), phase);
  const write: Write = async (encoding, quality) => {
    const image = keep.dress(finished());
    return {
      file: await settle(written(image, encoding, quality, timing), 'afterwards', task),
      encoding,
      quality,
    };
  };
  const tries: Try[] = [];
  for (const encoding of encodings) {
    let { quality } = encoding.options;
    if (similarity !== undefined && quality === undefined && isLossy(encoding)) {
      const found = await leastQuality(finished, plan.resultPixels, similarity, encoding, task);
      quality = found.quality;
      decisions.push(
        `${encoding.format}: quality ${quality}, similarity ${found.similarity.toFixed(3)}${found.isReached ? '' : `; ${similarity} is out of reach`}`,
      );
    }
    tries.push(await write(encoding, quality));
  }
  let best = tries.reduce((one, other) => (other.file.data.length < one.file.data.length ? other : one));
  if (tries.length > 1) {
    const sizes = tries.map(({ file, encoding }) => `${encoding.format} ${file.data.length} B`);
    decisions.push(`format=best: ${imageFormats[best.encoding.format].label} of ${sizes.join(' and ')}`);
  }
  if (maxBytes === undefined) return { ...best.file, format: best.encoding.format, decisions };
  if (best.file.data.length > maxBytes && isSearchable(best.encoding)) {
    best = await largestThatFits(best, maxBytes, write);
    decisions.push(`maxBytes: quality ${best.quality}`);
  }
  const fits = best.file.data.length <= maxBytes;
  if (!fits) {
    decisions.push(
      `maxBytes is out of reach: ${best.file.data.length} bytes is the smallest that ${imageFormats[best.encoding.format].label} makes of so many pixels`,
    );
  }
  return { ...best.file, format: best.encoding.format, decisions, fits };
}

/** The best quality below that of `from` whose file fits, by halving; else the smallest file there is. */
async function largestThatFits(from: Try, maxBytes: number, write: Write): Promise<Try> {
  const { encoding } = from;
  let low = 1;
  let high = (from.quality ?? imageFormats[encoding.format].quality ?? 100) - 1;
  let smallest = from;
  let fitting: Try | undefined;
  while (low <= high) {
    const quality = Math.floor((low + high) / 2);
    const one = await write(encoding, quality);
    if (one.file.data.length < smallest.file.data.length) smallest = one;
    if (one.file.data.length <= maxBytes) {
      fitting = one;
      low = quality + 1;
    } else {
      high = quality - 1;
    }
  }
  return fitting ?? smallest;
}

async function written(
  image: Sharp,
  { format, options }: Encoding,
  quality: number | undefined,
  timing: Timing | undefined,
): Promise<Try['file']> {
  const { data, info } = await imageFormats[format]
    .encode(image, { ...options, quality, timing: imageFormats[format].animation ? timing : undefined })
    .toUint8Array();
  return { data, width: info.width, height: info.pageHeight ?? info.height };
}

/** Its quality says how much is lost. */
function isLossy({ format, options }: Encoding): boolean {
  return imageFormats[format].quality !== undefined && !options.lossless;
}

function isSearchable({ format, options }: Encoding): boolean {
  const { searchable, qualityUpTo } = imageFormats[format];
  return searchable && !options.lossless && options.pixels <= (qualityUpTo?.pixels ?? Infinity);
}
