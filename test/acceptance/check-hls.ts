// A ladder: what its playlists say against what is in its segments, and those against the source.

import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { readInit, readSegment } from '../../src/lib/mp4-boxes.ts';
import { READS_DASH } from '../support/renditions.ts';
import { syncOf } from '../support/sync.ts';
import { checkLength, checkSize, checkTiming, expectedSize, MOST_APART_SECONDS } from './check-clip.ts';
import { checkClipPrivacy } from './check-privacy.ts';
import { framesOf, lookAt, soundOf, streamsOf } from './look.ts';
import type { Frames } from './look.ts';
import type { Result } from './matrix.ts';
import type { Findings } from './report.ts';
import { shownSize } from './truth.ts';
import type { Truth } from './truth.ts';

interface Ladder {
  readonly heights: readonly number[];
  readonly segmentSeconds: number;
  readonly dash?: boolean;
  readonly start?: number;
  readonly end?: number;
}

type Attributes = Readonly<Record<string, string>>;

function attributesOf(line: string): Attributes {
  const pairs = line.slice(line.indexOf(':') + 1).matchAll(/([A-Z0-9-]+)=("[^"]*"|[^,]*)/g);
  return Object.fromEntries(
    [...pairs].map(([, name, value]) => [name ?? '', (value ?? '').replaceAll('"', '')]),
  );
}

export async function checkHls(result: Result, truth: Truth, found: Findings): Promise<void> {
  const { heights, segmentSeconds, dash, start, end } = result.params as unknown as Ladder;
  const [master = ''] = result.paths;
  found.check(basename(master) === 'master.m3u8', `begins with ${basename(master)}`);
  const lines = (await readFile(master, 'utf8')).split('\n');
  found.check(lines[0] === '#EXTM3U' && lines.includes('#EXT-X-INDEPENDENT-SEGMENTS'), 'has no right head');
  const variants = lines.flatMap((line, index) =>
    line.startsWith('#EXT-X-STREAM-INF:')
      ? [{ attributes: attributesOf(line), uri: lines[index + 1] ?? '' }]
      : [],
  );
  const groups = lines.filter((line) => line.startsWith('#EXT-X-MEDIA:')).map(attributesOf);
  const sounds = groups.filter((group) => group['TYPE'] === 'AUDIO');
  const tracks = streamsOf(truth.looked, 'audio').length;
  found.within('number of tracks of sound', sounds.length, tracks, tracks);
  for (const { URI = '' } of groups)
    found.check(existsSync(result.path(URI)), `names ${URI}, which is not there`);
  const sides = rungsOf(Math.min(truth.picture.width, truth.picture.height), heights);
  found.within('number of rungs', variants.length, sides.length, sides.length);
  found.check(variants.length === new Set(variants.map(({ uri }) => uri)).size, 'names a rung twice');

  const voices: Rendition[] = [];
  for (const { URI = '' } of sounds) voices.push(await renditionOf(result.path(URI), segmentSeconds, found));
  const heard = voices[0] ?? null;
  const cut = { ...(start !== undefined && { start }), ...(end !== undefined && { end }) };
  const cuts = new Map<string, string>();
  for (const { attributes, uri } of variants) {
    const path = result.path(uri);
    if (!existsSync(path)) {
      found.check(false, `names ${uri}, which is not there`);
      continue;
    }
    const seen = await renditionOf(path, segmentSeconds, found);
    cuts.set(uri, seen.starts.map((start) => start.toFixed(2)).join(' '));
    checkVariant(attributes, seen, voices, truth, found);
    await checkRendition(seen, heard, attributes, { ...result, cut }, truth, found);
  }
  found.check(
    new Set(cuts.values()).size <= 1,
    `cuts rungs at different times: ${[...cuts.values()].join(' | ')}`,
  );
  for (const line of lines.filter((text) => text.startsWith('#EXT-X-I-FRAME-STREAM-INF:'))) {
    await checkIframes(result.path(attributesOf(line)['URI'] ?? ''), found);
  }
  if (dash === true) await checkDash(result, variants.length + sounds.length, truth, found);
}

/** Short sides: those asked for that the source has; its own takes the place of larger ones. */
function rungsOf(own: number, heights: readonly number[]): number[] {
  const there = heights.filter((height) => height <= own + 1);
  const isTop = there.length < heights.length && own >= (there[0] ?? 0) * 1.15;
  return isTop ? [own, ...there] : there;
}

interface Rendition {
  readonly name: string;
  /** Header and segments as one file. */
  readonly path: string;
  /** When each segment is first shown, in seconds. */
  readonly starts: readonly number[];
  readonly seconds: number;
  readonly codec: string;
  /** Bits per second of the largest segment, and of all. */
  readonly peak: number;
  readonly average: number;
}

async function renditionOf(playlist: string, segmentSeconds: number, found: Findings): Promise<Rendition> {
  const name = basename(playlist);
  const lines = (await readFile(playlist, 'utf8')).trim().split('\n');
  const isWhole = lines.includes('#EXT-X-PLAYLIST-TYPE:VOD') && lines.at(-1) === '#EXT-X-ENDLIST';
  found.check(isWhole, `${name} has not ended`);
  const folder = dirname(playlist);
  const init = await readFile(
    join(folder, attributesOf(lines.find((line) => line.startsWith('#EXT-X-MAP:')) ?? '')['URI'] ?? ''),
  );
  const target = Number(lines.find((line) => line.startsWith('#EXT-X-TARGETDURATION:'))?.split(':')[1]);
  const told = lines.flatMap((line, index) =>
    line.startsWith('#EXTINF:')
      ? [{ seconds: Number.parseFloat(line.slice(8)), uri: lines[index + 1] ?? '' }]
      : [],
  );
  const tracks = readInit(init);
  const [track] = tracks;
  if (track === undefined || tracks.length !== 1) throw new Error(`${name} has ${tracks.length} tracks`);
  const parts: Buffer[] = [init];
  const starts: number[] = [];
  let sum = 0;
  let peak = 0;
  for (const [index, { seconds, uri }] of told.entries()) {
    const bytes = await readFile(join(folder, uri));
    parts.push(bytes);
    const segment = readSegment(bytes, track);
    const start = segment.presentationTime / track.timescale;
    found.check(segment.startsWithSync, `${uri} does not begin with a keyframe`);
    found.within(`beginning of ${uri}`, start, sum - 0.05, sum + 0.05);
    // The last frame of sound may be told to end where the sound does.
    found.within(`length of ${uri}`, segment.seconds, seconds - 0.025, seconds + 0.025);
    // RFC 8216, 4.3.3.1.
    found.check(Math.round(seconds) <= target, `${uri} is ${seconds} s long, more than the target ${target}`);
    const isFull = index === told.length - 1 || Math.abs(seconds - segmentSeconds) < 0.15;
    found.check(isFull, `${uri} is ${seconds} s long, not ${segmentSeconds}`);
    starts.push(start);
    sum += seconds;
    peak = Math.max(peak, (bytes.length * 8) / seconds);
  }
  const whole = join(folder, `${name}.whole.mp4`);
  await writeFile(whole, Buffer.concat(parts));
  const bits = parts.slice(1).reduce((total, { length }) => total + length * 8, 0);
  return { name, path: whole, starts, seconds: sum, codec: track.codec, peak, average: bits / sum };
}

function checkVariant(
  attributes: Attributes,
  seen: Rendition,
  voices: readonly Rendition[],
  { picture }: Truth,
  found: Findings,
): void {
  const { name } = seen;
  const [width = 0, height = 0] = (attributes['RESOLUTION'] ?? '').split('x').map(Number);
  const side = Number(/^v(\d+)/.exec(name)?.[1]);
  const box = picture.width < picture.height ? { width: side } : { height: side };
  checkSize({ width, height }, expectedSize(picture, box), found);
  const codecs = [...new Set([seen, ...voices].map(({ codec }) => codec))].join(',');
  found.check(
    attributes['CODECS'] === codecs,
    `${name} tells of ${attributes['CODECS']} instead of ${codecs}`,
  );
  const rate = Number(attributes['FRAME-RATE']);
  found.within(`FRAME-RATE of ${name}`, rate, picture.fps * 0.97, picture.beat * 1.07);
  const [peak, average] = [Number(attributes['BANDWIDTH']), Number(attributes['AVERAGE-BANDWIDTH'])];
  // Of the tracks of sound the one that needs most (RFC 8216, 4.3.4.2).
  const [most, mean] = (['peak', 'average'] as const).map(
    (rate) => seen[rate] + Math.max(0, ...voices.map((voice) => voice[rate])),
  ) as [number, number];
  // Segments of less than half the target do not count for the peak (RFC 8216, 4.1).
  if (seen.seconds >= 1) found.within(`BANDWIDTH of ${name}`, peak, average, Math.max(most, average) * 1.1);
  found.within(`AVERAGE-BANDWIDTH of ${name}`, average, mean * 0.9, mean * 1.1);
  const range = attributes['VIDEO-RANGE'] ?? 'SDR';
  found.check(range === 'SDR', `${name} is ${range}`);
}

async function checkRendition(
  seen: Rendition,
  heard: Rendition | null,
  attributes: Attributes,
  { beeps, cut }: Result & { readonly cut: { start?: number; end?: number } },
  truth: Truth,
  found: Findings,
): Promise<void> {
  const looked = await lookAt(seen.path);
  const [video] = streamsOf(looked, 'video');
  if (video === undefined) return found.check(false, `${seen.name} has no picture`);
  const { width, height } = shownSize(video);
  found.check(`${width}x${height}` === attributes['RESOLUTION'], `${seen.name} is ${width} × ${height}`);
  found.check(video.pix_fmt === 'yuv420p', `${seen.name} has pixels of ${video.pix_fmt}`);
  await checkClipPrivacy(seen.path, truth.looked, found);
  const shown = await framesOf(seen.path, truth.picture.frames, { absolute: true, plain: true });
  for (const error of shown.errors.slice(0, 2)) found.check(false, `${seen.name} does not decode: ${error}`);
  // FFmpeg shows pictures later by what they were reordered; players go by what the segments say.
  const late = (shown.times[0] ?? 0) - (seen.starts[0] ?? 0);
  const frames: Frames = { ...shown, times: shown.times.map((time) => time - late) };
  const samples = heard === null ? null : await soundOf(heard.path, { absolute: true, plain: true });
  checkLength({ looked: null, frames, samples }, truth, cut, found);
  checkTiming({ source: truth.picture.frames, frames, samples }, truth, cut, found);
  if (!beeps || heard === null) return;
  const [source, result] = await Promise.all([syncOf(truth.path), syncOf(seen.path, heard.path, true)]);
  const distances = result.flashes.map((flash) =>
    Math.min(...result.beeps.map((beep) => Math.abs(beep - flash + late))),
  );
  const worst = Math.max(0, ...distances) - source.worst;
  found.figure('beep ms', worst * 1000);
  found.check(
    result.flashes.length > 0 && worst <= MOST_APART_SECONDS,
    `beeps ${(worst * 1000).toFixed(0)} ms from its flashes`,
  );
}

async function checkIframes(path: string, found: Findings): Promise<void> {
  if (!existsSync(path)) return found.check(false, `names ${basename(path)}, which is not there`);
  const lines = (await readFile(path, 'utf8')).split('\n');
  found.check(lines.includes('#EXT-X-I-FRAMES-ONLY'), `${basename(path)} is no list of I-frames`);
  const ranges = lines.flatMap((line, index) => {
    const range = /^#EXT-X-BYTERANGE:(\d+)@(\d+)$/.exec(line);
    return range === null ? [] : [{ end: Number(range[1]) + Number(range[2]), uri: lines[index + 1] ?? '' }];
  });
  found.check(ranges.length > 0, `${basename(path)} has no frames`);
  for (const { end, uri } of ranges) {
    const { length } = await readFile(join(dirname(path), uri));
    found.check(end <= length, `${basename(path)} points behind the end of ${uri}`);
  }
}

async function checkDash({ path }: Result, streams: number, truth: Truth, found: Findings): Promise<void> {
  const manifest = path('manifest.mpd');
  if (!existsSync(manifest)) return found.check(false, 'has no manifest.mpd');
  if (!READS_DASH) return;
  const looked = await lookAt(manifest, ['-allowed_extensions', 'ALL']);
  const there = looked.streams.filter(
    ({ codec_type }) => codec_type === 'video' || codec_type === 'audio',
  ).length;
  found.within('streams of manifest.mpd', there, streams, streams);
  // FFmpeg reads its length in whole seconds.
  const told = /mediaPresentationDuration="PT([\d.]+)S"/.exec(await readFile(manifest, 'utf8'))?.[1];
  const room = Math.max(2 / truth.picture.fps, truth.seconds * 0.01) + 0.03;
  const least = Math.min(truth.picture.end, truth.seconds) - room;
  found.within('duration of manifest.mpd', Number(told), least, truth.seconds + room);
}
