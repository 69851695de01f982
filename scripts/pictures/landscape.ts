// A landscape of our own, and a flight over it: what the documentation's pictures show.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';

const WIDTH = 2400;
const HEIGHT = 1600;

/** The same numbers at every run, so that the pictures do not change with each. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function ridge(random: () => number, base: number, height: number, colour: string): string {
  const points: string[] = [];
  const waves = Array.from({ length: 7 }, (_, i) => ({
    size: height / 1.7 ** i,
    length: 900 / 1.9 ** i,
    shift: random() * 7,
  }));
  for (let x = 0; x <= WIDTH; x += 6) {
    const y = waves.reduce((sum, { size, length, shift }) => sum + size * Math.sin(x / length + shift), 0);
    points.push(`${x},${(base - Math.abs(y) + height / 3).toFixed(1)}`);
  }
  return `<polygon fill="${colour}" points="0,${HEIGHT} ${points.join(' ')} ${WIDTH},${HEIGHT}"/>`;
}

/** A landscape at dusk with film grain, as a JPEG of about a megabyte. */
export async function landscape(): Promise<Uint8Array<ArrayBuffer>> {
  const random = seeded(7);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}">
    <defs>
      <linearGradient id="sky" x2="0" y2="1"><stop offset="0" stop-color="#1b2a52"/><stop offset=".45" stop-color="#b8577a"/><stop offset=".62" stop-color="#ffb46b"/><stop offset="1" stop-color="#ffe9b8"/></linearGradient>
      <radialGradient id="sun"><stop offset="0" stop-color="#fffbe6"/><stop offset=".25" stop-color="#ffe9a8"/><stop offset="1" stop-color="#ffb46b" stop-opacity="0"/></radialGradient>
    </defs>
    <rect width="${WIDTH}" height="${HEIGHT}" fill="url(#sky)"/>
    ${Array.from({ length: 90 }, () => `<circle cx="${random() * WIDTH}" cy="${random() * 500}" r="${1 + random() * 2}" fill="#fff" opacity="${random() * 0.8}"/>`).join('')}
    <circle cx="1650" cy="880" r="420" fill="url(#sun)"/>
    ${ridge(random, 1000, 330, '#8d5a86')}${ridge(random, 1150, 300, '#5f4675')}${ridge(random, 1320, 250, '#3a3160')}${ridge(random, 1500, 200, '#1a1a3a')}
  </svg>`;
  const grain = await sharp({
    create: {
      width: WIDTH,
      height: HEIGHT,
      channels: 3,
      background: '#808080',
      noise: { type: 'gaussian', mean: 128, sigma: 14 },
    },
  })
    .png()
    .toBuffer();
  const picture = sharp(Buffer.from(svg)).composite([{ input: grain, blend: 'soft-light' }]);
  return new Uint8Array(await picture.jpeg({ quality: 88 }).toBuffer());
}

/** A flight over it of twelve seconds, with something to hear. */
export async function flight(picture: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const place = await mkdtemp(join(tmpdir(), 'mediamill-pictures-'));
  const [from, to] = [join(place, 'landscape.jpg'), join(place, 'flight.mp4')];
  await writeFile(from, picture);
  const sound =
    '0.7*sin(2*PI*220*t)*abs(sin(PI*t/1.7))*(0.25+0.75*pow(sin(PI*t/12),2))*(0.6+0.4*sin(2*PI*7*t))';
  await promisify(execFile)('ffmpeg', [
    ...['-v', 'error', '-y', '-loop', '1', '-framerate', '25', '-t', '12', '-i', from],
    ...['-f', 'lavfi', '-t', '12', '-i', `aevalsrc='${sound}':s=48000`],
    ...['-vf', "crop=1280:720:x='(iw-ow)*t/12':y='(ih-oh)*(0.35+0.25*sin(PI*t/12))',scale=640:360"],
    ...['-c:v', 'libx264', '-crf', '18', '-pix_fmt', 'yuv420p', '-c:a', 'aac', to],
  ]);
  const bytes = new Uint8Array(await readFile(to));
  await rm(place, { recursive: true });
  return bytes;
}
