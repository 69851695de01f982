// That nothing of where, when and by whom a source was made is in a result.

import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { exiftool, lookAt } from './look.ts';
import type { Looked } from './look.ts';
import type { Findings } from './report.ts';

/** Tags that containers and encoders write of their own, with values that say nothing of the source. */
const OWN_TAGS: Readonly<Record<string, RegExp>> = {
  major_brand: /^[\w ]{4}$/,
  minor_version: /^\d+$/,
  compatible_brands: /^[\w ]+$/,
  encoder: /^Lav[fc][\d.]*( \w[\w-]*)?$/,
  language: /^(?:[a-z]{3})$/,
  handler_name: /^(?:Video|Sound)Handler$/,
  vendor_id: /^(?:\[0\]){4}$|^FFMP$/,
  duration: /^[\d:.]+$/,
};

/** Values that FFmpeg itself writes into most files. */
const COMMON = /^(?:Lav[fc][\d.]*|(?:Video|Sound)Handler?)$/;

/** What exiftool may not find, whatever it is called in a container. */
const TELLING =
  /gps|location|artist|title|author|copyright|comment|make$|model|serial|software|description|keyword|owner|producer|album|xmp|exif|iptc/i;
const HARMLESS =
  /^(?:ExifTool|System|File):|HandlerDescription|ColorProfile|Profile|:(?:Vendor|Encoder)|ProductVersion/;
const TIMES = /(?:create|modify|creation|modification)[a-z]*(?:date|time)?$/i;

/** `looked`: what ffprobe says of it, where that is known already. */
export async function checkClipPrivacy(
  path: string,
  source: Looked,
  found: Findings,
  looked?: Looked,
): Promise<void> {
  const { format, streams, chapters } = looked ?? (await lookAt(path));
  for (const tags of [format.tags, ...streams.map((stream) => stream.tags)]) {
    for (const [name, value] of Object.entries(tags ?? {})) {
      const own = OWN_TAGS[name.toLowerCase()];
      found.check(own?.test(value) === true, `has the tag ${name}=${value}`);
    }
  }
  found.check(chapters.length === 0, 'has chapters');
  const strange = streams.filter(({ codec_type }) => !['video', 'audio'].includes(codec_type ?? ''));
  found.check(strange.length === 0, 'has streams of data or text');
  await checkBytes(path, source, found);
  await checkExif(path, found);
}

export async function checkPicturePrivacy(path: string, source: Looked, found: Findings): Promise<void> {
  const { exif, xmp, iptc } = await sharp(path).metadata();
  found.check(exif === undefined && xmp === undefined && iptc === undefined, 'has EXIF, XMP or IPTC');
  await checkBytes(path, source, found);
  await checkExif(path, found);
}

/** Texts of the source's own tags are nowhere in the file, in whatever box. */
export async function checkBytes(path: string, source: Looked, found: Findings): Promise<void> {
  const bytes = await readFile(path);
  for (const tags of [source.format.tags, ...source.streams.map((stream) => stream.tags)]) {
    for (const [name, value] of Object.entries(tags ?? {})) {
      const isOwn =
        OWN_TAGS[name.toLowerCase()]?.test(value) === true || COMMON.test(value) || value.length < 6;
      found.check(isOwn || !bytes.includes(value), `still has the source's ${name}: ${value}`);
    }
  }
}

async function checkExif(path: string, found: Findings): Promise<void> {
  for (const [name, value] of Object.entries((await exiftool(path)) ?? {})) {
    if (HARMLESS.test(name)) continue;
    const empty = /^(?:0|0000:00:00 00:00:00|Lavf[\d.]*|)$/.test(String(value));
    if (TIMES.test(name)) found.check(empty, `exiftool finds ${name}: ${String(value)}`);
    else found.check(!TELLING.test(name) || empty, `exiftool finds ${name}: ${String(value)}`);
  }
}
