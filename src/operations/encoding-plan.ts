// Which encodings a rendition is tried in, and how the one that is answered is found.

import { Problem } from '../problems.ts';
import { encodeOptionsFor, SIMILARITY } from './encoding.ts';
import type { EncodingWishes } from './encoding.ts';
import type { EncodeOptions, FormatOption } from './formats/image-format-facts.ts';
import { formatOf, imageFormats } from './image-format.ts';
import type { ImageFormat } from './image-format.ts';
import { rankFormats } from './negotiation.ts';
import type { AcceptedFormats, Picture } from './negotiation.ts';

/** One way to write a rendition. */
export interface Encoding {
  readonly format: ImageFormat;
  readonly options: Omit<EncodeOptions, 'timing'>;
}

/** What of a source is kept that is else left behind. */
export interface Kept {
  readonly profile: boolean;
  readonly copyright: boolean;
  readonly gainMap: boolean;
  /** Bits a channel. */
  readonly depth: 8 | 16;
}

export interface EncodingPlan {
  /** At least one. Of several, the smallest at equal similarity is taken. */
  readonly encodings: readonly Encoding[];
  /** The least quality that reaches it is searched. */
  readonly similarity: number | undefined;
  /** The best quality that fits is searched. */
  readonly maxBytes: number | undefined;
  readonly kept: Kept;
  readonly decisions: readonly string[];
}

/** A search encodes several times; so large a picture would keep a thread for too long. */
const SEARCH_PIXELS = 8_000_000;
/** While its quality is searched, a picture is encoded with the effort of one so many times larger. */
const SEARCH_COST = 4;

export interface Chosen {
  /** Best first. */
  readonly formats: readonly ImageFormat[];
  readonly decisions: readonly string[];
}

/**
 * The formats an output may be written in, best first, whatever its size. Throws Problem `not_acceptable` if the
 * client accepts none of them.
 */
export function rankedFormats(
  { format }: EncodingWishes,
  source: Picture & { readonly mediaType: string },
  accepted: AcceptedFormats | undefined,
): readonly ImageFormat[] {
  if (format !== 'auto' && format !== 'best') return [format ?? formatOf(source.mediaType, source.alpha)];
  const ranked = rankFormats(accepted, source);
  if (ranked.length > 0) return ranked;
  throw new Problem(
    'not_acceptable',
    'Accept excludes every format that could be written: AVIF, WebP, JPEG, PNG and GIF. Add one of them, or ask for a format by name.',
  );
}

/**
 * Those of the ranked formats that a rendition of `pixels` is written in: one, or for `best` several to be tried.
 * AVIF past its bound gives way. Throws Problem `rendition_too_large` where nothing else is left.
 */
export function chooseFormats(
  { format: wanted }: EncodingWishes,
  ranked: readonly ImageFormat[],
  source: Picture,
  pixels: number,
): Chosen {
  // A picture that was asked for as AVIF is better had as WebP than not at all.
  const wide = wanted === 'avif' ? [...ranked, 'webp' as const] : ranked;
  const affordable = wide.filter((format) => !isTooDear(format, pixels));
  const [first] = affordable;
  if (first === undefined) throw tooDear(ranked[0] ?? 'avif', pixels);
  const decisions = ranked[0] === 'avif' && first !== 'avif' ? [insteadOfAvif(first)] : [];
  if (wanted === 'best') return { formats: comparable(affordable, source), decisions };
  if (wanted === 'auto') decisions.push(`format=auto: ${imageFormats[first].label}`);
  return { formats: [first], decisions };
}

/** Those that `best` compares: lossy ones, of which none loses more of the picture than the first. */
function comparable(formats: readonly ImageFormat[], source: Picture): ImageFormat[] {
  const keepsAll = (format: ImageFormat): boolean =>
    (!source.animated || imageFormats[format].animation) && (!source.alpha || imageFormats[format].alpha);
  const whole = formats.filter(keepsAll);
  const fitting = whole.length > 0 ? whole : formats;
  // GIF is never the smallest, and makes everything look worse.
  const real = fitting.filter((format) => format !== 'gif');
  return real.length > 0 ? real : [...fitting];
}

/** What of a rendition decides how it may be written. */
export interface Making {
  /** All frames together. */
  readonly pixels: number;
  readonly animated: boolean;
  /** Made in one pass of sharp from file to file, so that nothing of the source gets lost on the way. */
  readonly isOnePass: boolean;
}

/** How a rendition is written in the formats chosen for it. Throws Problem `rendition_too_large`. */
export function planEncoding(wishes: EncodingWishes, { formats }: Chosen, making: Making): EncodingPlan {
  const { pixels, animated } = making;
  const tried = animated ? formats.slice(0, 1) : formats;
  const [first] = tried;
  if (first === undefined) throw new Error('a plan without a format');
  const decisions: string[] = [];
  const isAuto = wishes.quality === 'auto' || wishes.format === 'best';
  const isSearched = isAuto || wishes.maxBytes !== undefined;
  if (isSearched && pixels > SEARCH_PIXELS) {
    throw new Problem(
      'rendition_too_large',
      `The rendition would have ${pixels} pixels; a quality is searched (quality=auto, maxBytes, format=best) for at most ${SEARCH_PIXELS}. Resize it to less, or give a quality.`,
    );
  }
  const encodings = tried.map((format): Encoding => {
    const { options, lost } = encodeOptionsFor(wishes, format, isSearched ? pixels * SEARCH_COST : pixels);
    const { pixels: most, because } = imageFormats[format].qualityUpTo ?? { pixels: Infinity, because: '' };
    const isIgnored = options.quality !== undefined && pixels > most;
    // Of several that are tried, each takes what it can; there is no use in telling that of all.
    if (tried.length === 1)
      decisions.push(...lost, ...(isIgnored ? [`quality was left out: ${because}`] : []));
    return { format, options: isIgnored ? { ...options, quality: undefined } : options };
  });
  if (isAuto && animated) decisions.push('similarity was not measured: the picture moves');
  const kept = keptOf(wishes, first, making, isSearched);
  return {
    encodings,
    similarity: isAuto && !animated ? (wishes.similarity ?? SIMILARITY) : undefined,
    maxBytes: wishes.maxBytes,
    kept: kept.kept,
    decisions: [...decisions, ...kept.decisions],
  };
}

function keptOf(
  wishes: EncodingWishes,
  format: ImageFormat,
  { animated, isOnePass }: Making,
  isSearched: boolean,
): { kept: Kept; decisions: string[] } {
  const decisions: string[] = [];
  const { options } = imageFormats[format];
  const may = (option: FormatOption, wanted: boolean, because: string | undefined): boolean => {
    if (!wanted || !options.includes(option)) return false;
    if (because !== undefined) decisions.push(`${option} was left out: ${because}`);
    return because === undefined;
  };
  const severalPasses = isOnePass ? undefined : 'these steps need several passes, which work in 8-bit sRGB';
  const whole = animated ? 'the picture moves' : severalPasses;
  const kept: Kept = {
    copyright: may('keepCopyright', wishes.keepCopyright === true, undefined),
    profile: may('keepProfile', wishes.keepProfile === true, whole),
    depth: may('depth', wishes.depth === 16, whole) ? 16 : 8,
    gainMap: may(
      'keepGainMap',
      wishes.keepGainMap === true,
      isSearched ? 'it cannot be kept while a quality is searched' : whole,
    ),
  };
  return { kept, decisions };
}

function isTooDear(format: ImageFormat, pixels: number): boolean {
  return pixels > (imageFormats[format].maxPixels ?? Infinity);
}

function insteadOfAvif(format: ImageFormat): string {
  const { label } = imageFormats[format];
  return `written as ${label}: AVIF takes too long for more than ${imageFormats.avif.maxPixels} pixels`;
}

function tooDear(format: ImageFormat, pixels: number): Problem {
  const { label, maxPixels } = imageFormats[format];
  return new Problem(
    'rendition_too_large',
    `The rendition would have ${pixels} pixels; ${label} takes so long that at most ${maxPixels} are allowed. Resize it to less, or take webp.`,
  );
}
