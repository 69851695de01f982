// Looking into finished videos: the colour of a spot at a time, levels of sound, where frames and keyframes lie.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Fields across and down, into which a frame is divided. */
const GRID = { width: 64, height: 36 };

const grids = new Map<string, Promise<Buffer>>();

/** A frame as the mean colours of its fields; looked at once. */
function grid(path: string, seconds: number): Promise<Buffer> {
  const key = `${path} ${seconds}`;
  const known = grids.get(key);
  if (known !== undefined) return known;
  const found = run(
    'ffmpeg',
    [
      ...['-v', 'error', '-ss', `${seconds}`, '-i', path, '-frames:v', '1'],
      ...['-vf', `scale=${GRID.width}:${GRID.height}:flags=area`, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'],
    ],
    { encoding: 'buffer' },
  ).then(({ stdout }) => stdout);
  grids.set(key, found);
  return found;
}

/** Colour about a point given in shares of the frame, at a time in seconds: red, green, blue, 0–255. */
export async function spot(path: string, x: number, y: number, seconds = 0): Promise<number[]> {
  const bytes = await grid(path, seconds);
  const [column, row] = [Math.floor(x * GRID.width), Math.floor(y * GRID.height)];
  const at = 3 * (row * GRID.width + column);
  return [...bytes.subarray(at, at + 3)];
}

const COLOURS: Readonly<Record<string, readonly number[]>> = {
  red: [255, 0, 0],
  green: [0, 128, 0],
  blue: [0, 0, 255],
  yellow: [255, 255, 0],
  white: [255, 255, 255],
  black: [0, 0, 0],
  grey: [128, 128, 128],
};

/** The name of the nearest colour. */
export async function colourAt(path: string, x: number, y: number, seconds = 0): Promise<string> {
  const found = await spot(path, x, y, seconds);
  const distance = (colour: readonly number[]): number =>
    colour.reduce((sum, value, channel) => sum + Math.abs(value - (found[channel] ?? 0)), 0);
  const [nearest] = Object.entries(COLOURS).toSorted(([, a], [, b]) => distance(a) - distance(b));
  return nearest?.[0] ?? '';
}

/** The colours of the corners: top left, top right, bottom left, bottom right. */
export async function corners(path: string): Promise<string> {
  const names = [
    [0.1, 0.1],
    [0.9, 0.1],
    [0.1, 0.9],
    [0.9, 0.9],
  ].map(([x = 0, y = 0]) => colourAt(path, x, y));
  return (await Promise.all(names)).join(' ');
}

/** Share of the frame that is brighter than half, at a time. */
export async function brightShare(path: string, seconds: number): Promise<number> {
  const { stdout } = await run(
    'ffmpeg',
    [
      ...['-v', 'error', '-ss', `${seconds}`, '-i', path, '-frames:v', '1'],
      ...['-f', 'rawvideo', '-pix_fmt', 'gray', '-'],
    ],
    { encoding: 'buffer' },
  );
  return stdout.filter((value) => value > 128).length / stdout.length;
}

/** Decoded samples of a track, as floats: one array a channel. */
export async function samples(path: string, track = 0): Promise<Float32Array[]> {
  const { stdout } = await run(
    'ffmpeg',
    ['-v', 'error', '-i', path, '-map', `0:a:${track}`, '-f', 'f32le', '-'],
    { encoding: 'buffer', maxBuffer: 256 * 1024 * 1024 },
  );
  const { stdout: told } = await run('ffprobe', [
    ...[
      '-v',
      'error',
      '-select_streams',
      `a:${track}`,
      '-show_entries',
      'stream=channels',
      '-of',
      'csv=p=0',
      path,
    ],
  ]);
  const channels = Number.parseInt(told, 10);
  const all = new Float32Array(stdout.buffer, stdout.byteOffset, Math.floor(stdout.byteLength / 4));
  return Array.from({ length: channels }, (_, channel) =>
    all.filter((_value, at) => at % channels === channel),
  );
}

/** Largest magnitude. */
export function peak(channel: Float32Array): number {
  return channel.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

/** Times of packets of the first video stream, sorted; of keyframes only, if so asked. */
export async function times(path: string, keyframes = false): Promise<number[]> {
  const { stdout } = await run('ffprobe', [
    ...[
      '-v',
      'error',
      '-select_streams',
      'v:0',
      '-show_entries',
      'packet=pts_time,flags',
      '-of',
      'csv=p=0',
      path,
    ],
  ]);
  return stdout
    .split('\n')
    .map((line) => line.split(','))
    .filter(([time = '', flags = '']) => time !== '' && (!keyframes || flags.startsWith('K')))
    .map(([time]) => Number(time))
    .toSorted((a, b) => a - b);
}
