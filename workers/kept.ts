// What a rendition keeps of its source on request: profile, 16 bits, gain map, and whose it is.

import type { Metadata, Sharp } from 'sharp';
import type { Phase } from '../src/engines/decoder-problem.ts';
import type { RenderTask } from '../src/engines/image-task.ts';
import { readRights } from '../src/lib/rights.ts';
import { imageFormats } from '../src/operations/image-format.ts';
import type { ImagePlan } from '../src/operations/image-plan.ts';
import { open, openEncoded, openFile, settle, toPixels } from './passes.ts';

export interface Keeping {
  readonly decisions: readonly string[];
  /** Adds to a pass that writes a file what it is to keep. */
  dress(image: Sharp): Sharp;
  /** Runs a pass that writes a file; once more without the gain map, if that was in the way. */
  write<T>(
    image: () => Sharp | Promise<Sharp>,
    run: (image: Sharp) => Promise<T>,
  ): Promise<{ readonly file: T; readonly decisions: readonly string[] }>;
  /** Runs a pass up to its encoder. Returns what opens its result, as often as one likes. */
  finish(image: Sharp, phase: Phase): Promise<() => Sharp>;
}

/** Sharp 0.35 can do it, but its types do not say so. */
type WithGainMap = Sharp & { keepGainMap(): Sharp };

/** Sharp says that an operation does not go together with a gain map only when it runs. */
const NO_GAIN_MAP = 'not supported when keeping gain maps';

export async function keeping(plan: ImagePlan, task: RenderTask): Promise<Keeping> {
  const { kept, encodings } = plan.encoding;
  const decisions: string[] = [];
  const needsFacts = kept.profile || kept.copyright || kept.gainMap || kept.depth === 16;
  const facts = needsFacts ? await settle(openFile(task, false).metadata(), 'decoding', task) : undefined;
  const rights = kept.copyright && facts !== undefined ? readRights(facts) : {};
  const isDeep = kept.depth === 16 && facts?.depth === 'ushort';
  if (kept.depth === 16 && !isDeep) decisions.push('depth=16 was left out: the source has 8 bits a channel');
  const isCmyk = facts?.space === 'cmyk';
  const holdsCmyk = encodings.every(({ format }) => format === 'jpeg' || format === 'tiff');
  const profile = kept.profile && facts?.icc !== undefined && (!isCmyk || holdsCmyk);
  if (kept.profile && !profile) decisions.push(withoutProfile(facts, encodings[0]?.format ?? 'jpeg'));
  const gainMap = kept.gainMap && facts?.gainMap !== undefined;
  if (kept.gainMap && !gainMap) decisions.push('keepGainMap was left out: the source has none');

  const exif = {
    ...(rights.artist !== undefined && { Artist: rights.artist }),
    ...(rights.copyright !== undefined && { Copyright: rights.copyright }),
  };
  const coloured = (image: Sharp): Sharp => {
    let result = image;
    if (profile) result = result.keepIccProfile();
    if (profile && isCmyk) result = result.pipelineColourspace('cmyk').toColourspace('cmyk');
    else if (isDeep) result = result.toColourspace('rgb16');
    return result;
  };
  const dress = (image: Sharp): Sharp => {
    const result = coloured(image);
    return Object.keys(exif).length > 0 ? result.withExif({ IFD0: exif }) : result;
  };
  return {
    decisions,
    dress,
    async write(image, run) {
      if (!gainMap) return { file: await run(dress(await image())), decisions };
      try {
        return { file: await run((dress(await image()) as WithGainMap).keepGainMap()), decisions };
      } catch (error) {
        if (!String((error as Error).cause ?? error).includes(NO_GAIN_MAP)) throw error;
        const decision = 'keepGainMap was left out: these steps do not go together with it';
        return { file: await run(dress(await image())), decisions: [...decisions, decision] };
      }
    },
    async finish(image, phase) {
      if (!profile && !isDeep) {
        const pixels = await toPixels(image, phase, task);
        return () => open(pixels);
      }
      // Raw pixels have no profile; a TIFF does.
      const { data } = await settle(
        coloured(image).tiff({ compression: 'none' }).toUint8Array(),
        phase,
        task,
      );
      return () => openEncoded(data);
    },
  };
}

function withoutProfile(facts: Metadata | undefined, format: keyof typeof imageFormats): string {
  return facts?.icc === undefined
    ? 'keepProfile was left out: the source has none'
    : `keepProfile was left out: ${imageFormats[format].label} holds no CMYK`;
}
