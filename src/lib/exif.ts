// EXIF: the few tags that people ask for (EXIF 2.32, 4.6; TIFF 6.0, section 2). Reads what is there, whatever the bytes are.

export interface Exif {
  readonly make?: string;
  readonly model?: string;
  readonly lens?: string;
  readonly software?: string;
  readonly artist?: string;
  readonly copyright?: string;
  readonly description?: string;
  /** ISO 8601, with an offset only if the camera noted one. */
  readonly takenAt?: string;
  readonly exposureSeconds?: number;
  readonly fNumber?: number;
  readonly iso?: number;
  /** In EV. */
  readonly exposureBias?: number;
  readonly flash?: boolean;
  readonly focalLengthMm?: number;
  readonly focalLength35Mm?: number;
}

export interface Position {
  /** Degrees, north and east positive. */
  readonly latitude: number;
  readonly longitude: number;
  readonly altitudeMetres?: number;
}

type Value = string | readonly number[];

const IFD0 = {
  description: 270,
  make: 271,
  model: 272,
  software: 305,
  changedAt: 306,
  artist: 315,
  copyright: 33_432,
  exifAt: 34_665,
  gpsAt: 34_853,
} as const;
const PHOTO = {
  exposureSeconds: 33_434,
  fNumber: 33_437,
  iso: 34_855,
  takenAt: 36_867,
  offset: 36_881,
  exposureBias: 37_380,
  flash: 37_385,
  focalLengthMm: 37_386,
  focalLength35Mm: 41_989,
  lens: 42_036,
} as const;
const GPS = {
  latitudeRef: 1,
  latitude: 2,
  longitudeRef: 3,
  longitude: 4,
  altitudeRef: 5,
  altitude: 6,
} as const;

/**
 * The tags of EXIF data (with or without `Exif\0\0` before it) or of a whole TIFF; null if it is neither. Never throws:
 * what is damaged or lies outside is left out.
 */
export function readExif(bytes: Uint8Array): { exif: Exif; position: Position | null } | null {
  const head = String.fromCharCode(...bytes.subarray(0, 6));
  const start = head === 'Exif\0\0' ? 6 : 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, bytes.byteLength - start);
  if (view.byteLength < 8) return null;
  const order = view.getUint16(0);
  const little = order === 0x4949;
  if ((order !== 0x4949 && order !== 0x4d4d) || view.getUint16(2, little) !== 42) return null;

  const first = directory(view, view.getUint32(4, little), little, IFD0);
  const photo = directory(view, number(first.exifAt) ?? 0, little, PHOTO);
  const gps = directory(view, number(first.gpsAt) ?? 0, little, GPS);
  const exif = {
    make: text(first.make),
    model: text(first.model),
    lens: text(photo.lens),
    software: text(first.software),
    artist: text(first.artist),
    copyright: text(first.copyright),
    description: text(first.description),
    takenAt: moment(photo.takenAt, photo.offset) ?? moment(first.changedAt, undefined),
    exposureSeconds: positive(photo.exposureSeconds),
    fNumber: positive(photo.fNumber),
    iso: positive(photo.iso),
    exposureBias: number(photo.exposureBias),
    flash: photo.flash && (number(photo.flash) ?? 0) % 2 === 1,
    focalLengthMm: positive(photo.focalLengthMm),
    focalLength35Mm: positive(photo.focalLength35Mm),
  };
  const told = Object.entries(exif).filter(([, value]) => value !== undefined);
  return { exif: Object.fromEntries(told), position: positionOf(gps) };
}

/** The wanted tags of one image file directory. It is not followed by others, so there are no circles. */
function directory<Names extends string>(
  view: DataView,
  at: number,
  little: boolean,
  wanted: Readonly<Record<Names, number>>,
): Partial<Record<Names, Value>> {
  const found: Partial<Record<Names, Value>> = {};
  if (at < 8 || at + 2 > view.byteLength) return found;
  const names = new Map(Object.entries(wanted).map(([name, tag]) => [tag as number, name as Names]));
  const count = view.getUint16(at, little);
  for (let i = 0; i < count; i++) {
    const entry = at + 2 + i * 12;
    if (entry + 12 > view.byteLength) break;
    const name = names.get(view.getUint16(entry, little));
    const value = name && valueOf(view, entry, little);
    if (name !== undefined && value !== undefined) found[name] ??= value;
  }
  return found;
}

/** Bytes of one value, by its type (TIFF 6.0, section 2). */
const SIZES: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 9: 4, 10: 8 };
const MOST_NUMBERS = 8;
const MOST_TEXT = 1000;

function valueOf(view: DataView, entry: number, little: boolean): Value | undefined {
  const type = view.getUint16(entry + 2, little);
  const claimed = view.getUint32(entry + 4, little);
  const size = SIZES[type];
  if (size === undefined || claimed === 0) return undefined;
  // Where it lies is decided by what is claimed; more than anybody wants to know is not read.
  const at = size * claimed <= 4 ? entry + 8 : view.getUint32(entry + 8, little);
  const count = Math.min(claimed, type === 2 ? MOST_TEXT : MOST_NUMBERS);
  if (at + size * count > view.byteLength) return undefined;
  if (type === 2) return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at, count));
  return Array.from({ length: count }, (_, i) => numberAt(view, at + i * size, type, little));
}

function numberAt(view: DataView, at: number, type: number, little: boolean): number {
  switch (type) {
    case 1:
      return view.getUint8(at);
    case 3:
      return view.getUint16(at, little);
    case 4:
      return view.getUint32(at, little);
    case 5:
      return view.getUint32(at, little) / view.getUint32(at + 4, little);
    case 9:
      return view.getInt32(at, little);
    default:
      return view.getInt32(at, little) / view.getInt32(at + 4, little);
  }
}

/** Up to the first NUL, without control characters, at most 200 characters; undefined if nothing is left. */
function text(value: Value | undefined): string | undefined {
  if (typeof value !== 'string') return undefined;
  const clean = (value.split('\0')[0] ?? '').replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\uFFFD]/gu, '').trim();
  return clean === '' ? undefined : Array.from(clean).slice(0, 200).join('');
}

/** A division by 0 stands for "not known". */
function number(value: Value | undefined): number | undefined {
  const first = typeof value === 'string' ? undefined : value?.[0];
  return first !== undefined && Number.isFinite(first) ? Math.round(first * 1e6) / 1e6 : undefined;
}

function positive(value: Value | undefined): number | undefined {
  const read = number(value);
  return read !== undefined && read > 0 ? read : undefined;
}

function moment(value: Value | undefined, offset: Value | undefined): string | undefined {
  const match = /^(\d{4}):(0[1-9]|1[0-2]):(0[1-9]|[12]\d|3[01]) ([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)$/.exec(
    text(value) ?? '',
  );
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const zone = /^[+-]\d\d:\d\d$/.exec(text(offset) ?? '')?.[0] ?? '';
  return `${year}-${month}-${day}T${hour}:${minute}:${second}${zone}`;
}

function positionOf(gps: Partial<Record<keyof typeof GPS, Value>>): Position | null {
  const latitude = degrees(gps.latitude, gps.latitudeRef, 'S', 90);
  const longitude = degrees(gps.longitude, gps.longitudeRef, 'W', 180);
  if (latitude === undefined || longitude === undefined) return null;
  const above = number(gps.altitude);
  const altitudeMetres = above === undefined || number(gps.altitudeRef) !== 1 ? above : -above;
  return { latitude, longitude, ...(altitudeMetres !== undefined && { altitudeMetres }) };
}

/** Degrees, minutes and seconds as one number; undefined where that is no place on Earth. */
function degrees(value: Value | undefined, ref: Value | undefined, negative: string, most: number) {
  if (value === undefined || typeof value === 'string') return undefined;
  const [whole = Number.NaN, minutes = 0, seconds = 0] = value;
  const sum = Math.round((whole + minutes / 60 + seconds / 3600) * 1e7) / 1e7;
  if (!(sum >= 0 && sum <= most)) return undefined;
  return text(ref)?.toUpperCase() === negative ? -sum : sum;
}
