// What kind of media some bytes are, by the bytes alone. Names and Content-Type headers are hearsay.

export type MediaKind = 'image' | 'video' | 'audio';

export interface MediaType {
  /** E.g. `image/png`, `video/mp4`. */
  readonly mediaType: string;
  readonly kind: MediaKind;
}

/** How much of the beginning `sniff` wants to see, in bytes. Less is fine if that is all there is. */
export const SNIFF_BYTES = 4096;

/** Recognised types, and the names people know the ones by that the server can work with. */
const TYPES = {
  'image/jpeg': 'JPEG',
  'image/png': 'PNG',
  'image/webp': 'WebP',
  'image/gif': 'GIF',
  'image/avif': 'AVIF',
  'image/tiff': 'TIFF',
  'image/heic': 'HEIC',
  'image/jxl': 'JPEG XL',
  'image/svg+xml': undefined,
  'video/mp4': 'MP4',
  'video/quicktime': 'MOV',
  'video/x-matroska': 'MKV',
  'video/webm': 'WebM',
  'video/mp2t': 'MPEG-TS',
  'video/mpeg': 'MPEG-PS',
  'video/x-msvideo': 'AVI',
  'video/x-flv': 'FLV',
  'video/ogg': 'Ogg',
  'video/x-ms-asf': 'WMV',
  'audio/mpeg': 'MP3',
  'audio/aac': 'AAC',
  'audio/mp4': 'M4A',
  'audio/flac': 'FLAC',
  'audio/wav': 'WAV',
  'audio/ogg': 'Ogg',
} as const;
type KnownType = keyof typeof TYPES;

/**
 * The media type of a file that begins with `head`, or undefined for everything else. Playlists (m3u8, mpd,
 * ffconcat, sdp, `concat:`) are text and on purpose among everything else: they would make FFmpeg open other files.
 */
export function sniff(head: Uint8Array): MediaType | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, SNIFF_BYTES));
  const mediaType = recognise(bytes);
  return mediaType && { mediaType, kind: kindOf(mediaType) };
}

/** One sentence for people who sent something else. */
export function describeSupported(): string {
  const names = (kind: MediaKind) =>
    (Object.keys(TYPES) as KnownType[])
      .filter((type) => kindOf(type) === kind)
      .flatMap((type) => TYPES[type] ?? [])
      .join(', ');
  return `Supported are images (${names('image')}), videos (${names('video')}) and sound (${names('audio')}).`;
}

function kindOf(mediaType: KnownType): MediaKind {
  return mediaType.slice(0, mediaType.indexOf('/')) as MediaKind;
}

function recognise(bytes: Buffer): KnownType | undefined {
  const text = (from: number, to: number) => bytes.toString('latin1', from, to);
  const four = text(0, 4);
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'image/jpeg';
  if (text(0, 8) === '\x89PNG\r\n\x1a\n') return 'image/png';
  if (text(0, 6) === 'GIF87a' || text(0, 6) === 'GIF89a') return 'image/gif';
  if (four === 'RIFF') {
    const form = text(8, 12);
    if (form === 'WEBP') return 'image/webp';
    if (form === 'AVI ') return 'video/x-msvideo';
    return form === 'WAVE' ? 'audio/wav' : undefined;
  }
  if (four === 'RF64' && text(8, 12) === 'WAVE') return 'audio/wav';
  if (four === 'II*\0' || four === 'MM\0*') return 'image/tiff';
  if (text(4, 12) === 'JXL \r\n\x87\n' || text(0, 2) === '\xff\n') return 'image/jxl';
  if (four === '\x1aE\xdf\xa3') return matroska(bytes);
  if (four === '\0\0\x01\xba') return 'video/mpeg';
  if (four === 'FLV\x01') return 'video/x-flv';
  if (four === 'OggS') return oggHasVideo(bytes) ? 'video/ogg' : 'audio/ogg';
  if (four === 'fLaC') return 'audio/flac';
  if (bytes.subarray(0, 16).equals(ASF_HEADER)) return 'video/x-ms-asf';
  if (text(0, 3) === 'ID3') return afterId3(bytes);
  return (
    isoMedia(bytes) ??
    mpegAudio(bytes) ??
    transportStream(bytes) ??
    (isSvg(bytes) ? 'image/svg+xml' : undefined)
  );
}

/** The GUID of the ASF Header Object (Advanced Systems Format Specification, 3.1). */
const ASF_HEADER = Buffer.from('3026b2758e66cf11a6d900aa0062ce6c', 'hex');

/** ISO/IEC 14496-12: the brands of `ftyp` say what it is. QuickTime files from before `ftyp` begin with another atom. */
function isoMedia(bytes: Buffer): KnownType | undefined {
  if (bytes.length < 12) return undefined;
  const atom = bytes.toString('latin1', 4, 8);
  if (atom !== 'ftyp') {
    // The size is at least the header's 8 bytes (1 stands for a 64-bit size), and not text: "The wide …" is no film.
    const size = bytes.readUInt32BE(0);
    const isText = /^[\t\n\r -~]{4}$/.test(bytes.toString('latin1', 0, 4));
    return OLD_QUICKTIME.has(atom) && !isText && (size >= 8 || size === 1) ? 'video/quicktime' : undefined;
  }
  const end = Math.min(bytes.readUInt32BE(0), bytes.length);
  const brands: string[] = [];
  for (let at = 8; at + 4 <= end; at += 4) if (at !== 12) brands.push(bytes.toString('latin1', at, at + 4));
  // The compatible brands of an AVIF may begin with the general `mif1`, so AVIF is asked for first, in all of them.
  if (brands.some((brand) => brand === 'avif' || brand === 'avis')) return 'image/avif';
  for (const brand of brands) {
    if (HEIF_BRANDS.has(brand)) return 'image/heic';
    if (brand === 'qt  ') return 'video/quicktime';
    if (brand === 'M4A ' || brand === 'M4B ' || brand === 'F4A ') return 'audio/mp4';
    if (MP4_BRAND.test(brand)) return 'video/mp4';
  }
  return undefined;
}

const OLD_QUICKTIME = new Set(['moov', 'mdat', 'wide', 'pnot']);
const HEIF_BRANDS = new Set(['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'mif1', 'msf1']);
const MP4_BRAND = /^(?:iso.|mp4.|avc.|hvc.|3g..|M4V.|dash|msdh|cmf.|f4v |F4V |MSNV|mmp4|XAVC)$/;

/** The EBML header's DocType element (RFC 8794, 11.2.4) tells WebM from Matroska. */
function matroska(bytes: Buffer): KnownType | undefined {
  const at = bytes.subarray(0, 128).indexOf('\x42\x82', 'latin1');
  if (at < 0) return undefined;
  const type = bytes.toString('latin1', at + 3, at + 3 + ((bytes[at + 2] ?? 0) & 0x7f));
  if (type.startsWith('webm')) return 'video/webm';
  return type.startsWith('matroska') ? 'video/x-matroska' : undefined;
}

/** The first pages of an Ogg file begin its streams; a video codec names itself there. */
function oggHasVideo(bytes: Buffer): boolean {
  return ['\x80theora', 'OVP80', 'BBCD\0', '\x01video'].some((magic) => bytes.includes(magic, 0, 'latin1'));
}

/** ID3 is put before MP3 most of all, but also before AAC and FLAC. Its size has 7 bits a byte (ID3v2.4, 3.1). */
function afterId3(bytes: Buffer): KnownType {
  const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(6, 10);
  const size = 10 + ((a & 0x7f) << 21) + ((b & 0x7f) << 14) + ((c & 0x7f) << 7) + (d & 0x7f);
  const rest = bytes.subarray(size);
  if (rest.toString('latin1', 0, 4) === 'fLaC') return 'audio/flac';
  return mpegAudio(rest) ?? 'audio/mpeg';
}

const LAYER3_KBITS = [
  [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
] as const;

/** A frame of MP3 (ISO/IEC 11172-3, 2.4.1.3) or of AAC in ADTS (ISO/IEC 13818-7, 6.2), with the next where it must be. */
function mpegAudio(bytes: Buffer): KnownType | undefined {
  const [first = 0, second = 0, third = 0, fourth = 0, fifth = 0, sixth = 0] = bytes;
  if (first !== 0xff) return undefined;
  let length: number;
  let mediaType: KnownType;
  if ((second & 0xf6) === 0xf0) {
    mediaType = 'audio/aac';
    length = ((fourth & 3) << 11) | (fifth << 3) | (sixth >> 5);
    if (((third >> 2) & 15) > 12 || length < 7) return undefined;
  } else if ((second & 0xe6) === 0xe2) {
    mediaType = 'audio/mpeg';
    const version = (second >> 3) & 3;
    const rate = [44_100, 48_000, 32_000][(third >> 2) & 3];
    const kbits = LAYER3_KBITS[version === 3 ? 1 : 0][(third >> 4) - 1];
    if (version === 1 || rate === undefined || kbits === undefined) return undefined;
    const hertz = version === 3 ? rate : rate / (version === 2 ? 2 : 4);
    length = Math.floor(((version === 3 ? 144_000 : 72_000) * kbits) / hertz) + ((third >> 1) & 1);
  } else {
    return undefined;
  }
  // Two bytes alone are no proof: UTF-16 text begins with FF too.
  const hasNext = length + 1 < bytes.length;
  if (hasNext && (bytes[length] !== 0xff || ((bytes[length + 1] ?? 0) & 0xe0) !== 0xe0)) return undefined;
  return bytes.length > 4 ? mediaType : undefined;
}

/** Packets of 188 bytes that begin with 47 (ISO/IEC 13818-1, 2.4.3.2); m2ts puts 4 bytes of time before each. */
function transportStream(bytes: Buffer): KnownType | undefined {
  for (const [start, step] of [
    [0, 188],
    [4, 192],
  ] as const) {
    let packets = 0;
    let at = start;
    while (at < bytes.length && packets < 8 && bytes[at] === 0x47) {
      packets++;
      at += step;
    }
    // Every packet that is there has its sync byte, and it is more than one.
    if (packets >= 2 && (packets === 8 || at >= bytes.length)) return 'video/mp2t';
  }
  return undefined;
}

/** The root element is `svg`, after declarations, comments and a DOCTYPE. One pass, no backtracking. */
function isSvg(bytes: Buffer): boolean {
  const text = bytes.toString('latin1').replace(/^\xef\xbb\xbf/, '');
  let at = 0;
  for (;;) {
    while (/\s/.test(text.charAt(at))) at++;
    let closing: string;
    if (text.startsWith('<?', at)) closing = '?>';
    else if (text.startsWith('<!--', at)) closing = '-->';
    else if (text.startsWith('<!', at))
      closing = text.slice(at, text.indexOf('>', at)).includes('[') ? ']>' : '>';
    else return /^<(?:[\w-]{1,32}:)?svg[\s/>]/.test(text.slice(at, at + 48));
    const end = text.indexOf(closing, at + 2);
    if (end < 0) return false;
    at = end + closing.length;
  }
}
