// Who made a picture and whose it is, from the three places where that stands: EXIF, IPTC and XMP.

import { readExif } from './exif.ts';

export interface Rights {
  readonly artist?: string;
  readonly copyright?: string;
}

export interface RightsSources {
  readonly exif?: Uint8Array | undefined;
  /** An IPTC-IIM record, or Photoshop's wrapping of it. */
  readonly iptc?: Uint8Array | undefined;
  readonly xmp?: Uint8Array | undefined;
}

/** IPTC-IIM 4.2, record 2. */
const BYLINE = 80;
const COPYRIGHT_NOTICE = 116;
const MOST_TEXT = 200;

/** The first that is told, EXIF before IPTC before XMP. Never throws, whatever the bytes are. */
export function readRights({ exif, iptc, xmp }: RightsSources): Rights {
  const tags = exif && readExif(exif)?.exif;
  const artist = tags?.artist ?? dataset(iptc, BYLINE) ?? property(xmp, 'dc:creator');
  const copyright = tags?.copyright ?? dataset(iptc, COPYRIGHT_NOTICE) ?? property(xmp, 'dc:rights');
  return { ...(artist !== undefined && { artist }), ...(copyright !== undefined && { copyright }) };
}

/** A dataset begins with 1C, its record, its number and 16 bits of length. */
function dataset(iptc: Uint8Array | undefined, number: number): string | undefined {
  if (iptc === undefined) return undefined;
  const bytes = Buffer.from(iptc.buffer, iptc.byteOffset, iptc.byteLength);
  const at = bytes.indexOf(Buffer.from([0x1c, 2, number]));
  if (at < 0 || at + 5 > bytes.length) return undefined;
  const length = bytes.readUInt16BE(at + 3);
  return clean(bytes.toString('utf8', at + 5, at + 5 + length));
}

/** The first entry of the list that these two properties are in XMP. */
function property(xmp: Uint8Array | undefined, name: string): string | undefined {
  if (xmp === undefined) return undefined;
  const text = Buffer.from(xmp.buffer, xmp.byteOffset, xmp.byteLength).toString('utf8');
  const from = text.indexOf(`<${name}`);
  const to = text.indexOf(`</${name}>`, from);
  if (from < 0 || to < 0) return undefined;
  const entry = /<rdf:li[^>]*>([^<]*)</.exec(text.slice(from, Math.min(to, from + 2000)))?.[1] ?? '';
  const plain = entry.replaceAll(
    /&(amp|lt|gt|quot|apos);/g,
    (_, name: keyof typeof ENTITIES) => ENTITIES[name],
  );
  return clean(plain);
}

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" } as const;

function clean(text: string): string | undefined {
  const plain = text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\uFFFD]/gu, '').trim();
  return plain === '' ? undefined : Array.from(plain).slice(0, MOST_TEXT).join('');
}
