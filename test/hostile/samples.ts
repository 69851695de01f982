// The hostile files and what may become of each: as an image, and as a video.

import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ProblemCode } from '../../src/problems.ts';
import { clipFixture, ffmpegFixture, imageFixture } from '../support/fixtures.ts';
import { seededRandom } from '../support/random.ts';
import * as crafted from './crafted.ts';

/** `'made'`, or the codes of the problems that are right. */
export type Fate = readonly ('made' | ProblemCode)[];

export interface Sample {
  readonly name: string;
  bytes(): Buffer | Promise<Buffer>;
  readonly image: Fate;
  readonly video: Fate;
  /** Part of the media is missing: if something is made of it all the same, a warning must say so. */
  readonly isCutOff?: boolean;
  /** Its number among some that are much alike: not each of them goes through every video route. */
  readonly turn?: number;
}

const NOT_MEDIA: Fate = ['media_type_unsupported'];
const NO_FILE: Fate = ['file_missing', 'media_type_unsupported'];
const UNREADABLE: Fate = ['image_unreadable', 'media_type_unsupported'];
const TOO_LARGE: Fate = ['image_too_large'];
const CLIP_FATE: Fate = ['made', 'video_unreadable', 'stream_missing', 'encode_failed', 'result_broken'];
const DAMAGED_CLIP: Fate = [...CLIP_FATE, 'video_too_long', 'video_too_complex', 'media_type_unsupported'];
const DAMAGED_IMAGE: Fate = ['made', 'image_unreadable'];

const text = (name: string, content: string): Sample => ({
  name,
  bytes: () => Buffer.from(content, 'latin1'),
  image: NOT_MEDIA,
  video: NOT_MEDIA,
});

/** An image that no video route takes. */
const image = (name: string, fate: Fate, bytes: Sample['bytes']): Sample => ({
  name,
  bytes,
  image: fate,
  video: NOT_MEDIA,
});

const small = () => imageFixture({ width: 96, height: 64 });
const clip = async (container: 'mp4' | 'webm') =>
  readFile(
    await clipFixture({
      seconds: 1,
      width: 160,
      height: 120,
      container,
      codecs: container === 'webm' ? 'vp9' : 'web',
    }),
  );

const NOTHING: readonly Sample[] = [
  { name: 'nothing at all', bytes: () => Buffer.alloc(0), image: NO_FILE, video: NO_FILE },
  text('one byte', 'x'),
  text('zeros', '\0'.repeat(5000)),
  text('plain text', 'Hello, this is no picture.\n'.repeat(100)),
  text('HTML', '<!DOCTYPE html><html><script>alert(1)</script></html>'),
  text('PDF', '%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n'),
  text('ELF', '\x7fELF\x02\x01\x01'.padEnd(300, '\0')),
  text('script', '#!/bin/sh\nrm -rf /\n'),
  {
    name: 'ZIP',
    bytes: () => crafted.zip('a.png', Buffer.from('not a picture')),
    image: NOT_MEDIA,
    video: NOT_MEDIA,
  },
];

const PLAYLISTS: readonly Sample[] = [
  text(
    'HLS playlist of a local file',
    '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n',
  ),
  text('HLS playlist of another host', '#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/secret.ts\n#EXT-X-ENDLIST\n'),
  text(
    'DASH manifest',
    '<?xml version="1.0"?><MPD><Period><BaseURL>file:///etc/passwd</BaseURL></Period></MPD>',
  ),
  text('ffconcat list', "ffconcat version 1.0\nfile '/etc/passwd'\n"),
  text('SDP', 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 1234 RTP/AVP 96\n'),
  text('concat: protocol', 'concat:/etc/passwd|/etc/hostname'),
  text('SMIL', '<smil><body><video src="file:///etc/passwd"/></body></smil>'),
];

const CLAIMS: readonly Sample[] = [
  image('SVG with a stylesheet', NOT_MEDIA, () =>
    Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" width="9999" height="9999"><image href="file:///etc/passwd"/></svg>',
    ),
  ),
  image('SVG with entities', NOT_MEDIA, () =>
    Buffer.from(
      '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]><svg xmlns="http://www.w3.org/2000/svg"><text>&b;</text></svg>',
    ),
  ),
  image('WebP of 36 bytes that claims 16383 × 16383', TOO_LARGE, () =>
    crafted.webpLosslessClaim(16_383, 16_383),
  ),
  image('WebP canvas of 16 million a side', [...TOO_LARGE, ...UNREADABLE], () =>
    crafted.webpCanvasClaim(2 ** 24, 2 ** 24, false),
  ),
  image('animated WebP canvas without frames', [...TOO_LARGE, ...UNREADABLE], () =>
    crafted.webpCanvasClaim(8000, 8000, true),
  ),
  image('PNG that claims 65535 × 65535', TOO_LARGE, () => crafted.png(65_535, 65_535, Buffer.alloc(64))),
  image('PNG that claims 2147483647 × 2147483647', [...TOO_LARGE, ...UNREADABLE], () =>
    crafted.png(2 ** 31 - 1, 2 ** 31 - 1, Buffer.alloc(64)),
  ),
  image('PNG bomb of 100 MP in 100 KB', TOO_LARGE, () =>
    crafted.png(10_000, 10_000, Buffer.alloc(10_001 * 10_000)),
  ),
  image('PNG that unpacks to more than it claims', DAMAGED_IMAGE, () =>
    crafted.png(10, 10, Buffer.alloc(50_000_000)),
  ),
  image('PNG with a profile of 100 MB', DAMAGED_IMAGE, () =>
    crafted.png(10, 10, Buffer.alloc(110), [crafted.profileBomb(100_000_000)]),
  ),
  image('PNG with 20,000 comments', DAMAGED_IMAGE, () =>
    crafted.png(
      10,
      10,
      Buffer.alloc(110),
      Array.from({ length: 20_000 }, (_, i) => ({ type: 'tEXt', data: Buffer.from(`k${i}\0v`) })),
    ),
  ),
  image('JPEG that claims 65500 × 65500', TOO_LARGE, async () =>
    crafted.jpegClaim(await small(), 65_500, 65_500),
  ),
  image('JPEG that claims no size', UNREADABLE, async () => crafted.jpegClaim(await small(), 0, 0)),
  image('JPEG of 3000 scans', ['image_too_complex'], async () =>
    crafted.jpegWithScans(await imageFixture({ width: 96, height: 64, progressive: true }), 3000),
  ),
  image('JPEG with 5000 headers', DAMAGED_IMAGE, async () =>
    crafted.jpegWithHeaders(await small(), 5000, 200),
  ),
  image(
    'TIFF that is its own next page',
    [...DAMAGED_IMAGE, 'image_too_large', 'image_too_many_frames'],
    () => crafted.tiffLoop(8, 8),
  ),
  image('TIFF that claims 60000 × 60000', [...TOO_LARGE, ...UNREADABLE], () =>
    crafted.tiffLoop(60_000, 60_000),
  ),
  image('AVIF with nothing in it', UNREADABLE, () =>
    Buffer.from('\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf'.padEnd(400, 'z'), 'latin1'),
  ),
];

/** FFmpeg reads a GIF as a film too. */
const gif = (name: string, fate: Fate, video: Fate, bytes: Sample['bytes']): Sample => ({
  name,
  bytes,
  image: fate,
  video,
});
const GIFS: readonly Sample[] = [
  gif(
    'GIF that claims 65535 × 65535',
    ['image_too_large', 'image_unreadable'],
    ['video_too_complex', 'video_unreadable', 'encode_failed'],
    () => crafted.gif(65_535, 65_535, 2),
  ),
  gif('GIF of no frames', UNREADABLE, DAMAGED_CLIP, () => crafted.gif(10, 10, 0)),
  gif('GIF of 5000 frames', ['image_too_many_frames', 'image_too_large'], DAMAGED_CLIP, () =>
    crafted.gif(10, 10, 5000),
  ),
  gif('GIF with a frame beyond its screen', [...DAMAGED_IMAGE, 'image_too_large'], DAMAGED_CLIP, () =>
    crafted.gif(10, 10, 1, { width: 60_000, height: 60_000 }),
  ),
  gif('GIF that is a web page too', DAMAGED_IMAGE, DAMAGED_CLIP, async () =>
    Buffer.concat([
      await imageFixture({ width: 64, height: 48, format: 'gif' }),
      Buffer.from('<html><script>alert(1)</script></html>'),
    ]),
  ),
  gif('GIF header before a script', [...DAMAGED_IMAGE, 'image_too_large'], DAMAGED_CLIP, () =>
    Buffer.from('GIF89a/*<svg/onload=alert(1)>*/=1;<script>alert(1)</script>', 'latin1'),
  ),
];

const CONTAINERS: readonly Sample[] = (
  [
    ['MP4 brand before rubbish', '\0\0\0\x18ftypmp42\0\0\0\0mp42isom', ['video_unreadable']],
    [
      'Matroska head before rubbish',
      '\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x86\x81\x01\x42\x82\x88matroska',
      ['video_unreadable', 'media_type_unsupported'],
    ],
    ['AVI head before rubbish', 'RIFF\xff\xff\xff\x7fAVI LIST', ['video_unreadable', 'stream_missing']],
    [
      'transport stream of empty packets',
      'G\x1f\xff\x10'.padEnd(188, '\xff').repeat(30),
      ['video_unreadable', 'stream_missing', 'media_type_unsupported'],
    ],
    ['Ogg head before rubbish', 'OggS\0\x02', ['video_unreadable', 'media_type_unsupported']],
  ] as const
).map(([name, head, video]) => ({
  name,
  bytes: () => Buffer.from(head.padEnd(5000, 'z'), 'latin1'),
  image: NOT_MEDIA,
  video,
}));

const CUT_IMAGES: readonly Sample[] = (['jpeg', 'png', 'webp'] as const).flatMap((format) =>
  [10, 50, 90].map((percent) =>
    image(`${format} cut off at ${percent} %`, DAMAGED_IMAGE, async () =>
      crafted.cutOff(await imageFixture({ width: 320, height: 240, format }), percent),
    ),
  ),
);

const CUT_CLIPS: readonly Sample[] = (['mp4', 'webm'] as const).flatMap((container) =>
  [10, 50, 90].map((percent, index) => ({
    name: `${container} cut off at ${percent} %`,
    bytes: async () => crafted.cutOff(await clip(container), percent),
    image: NOT_MEDIA,
    video: DAMAGED_CLIP,
    isCutOff: true,
    // Cut in the middle, through all routes.
    ...(percent !== 50 && { turn: index + (container === 'webm' ? 1 : 0) }),
  })),
);

const FLIPPED: readonly Sample[] = Array.from({ length: 10 }, (_, index) => ({
  name: `mp4 with turned bits, seed ${index + 1}`,
  bytes: async () => crafted.flipBits(await clip('mp4'), 8 * (index + 1), seededRandom(index + 1)),
  image: NOT_MEDIA,
  video: DAMAGED_CLIP,
  turn: index,
}));

const STRANGE_CLIPS: readonly Sample[] = [
  {
    name: 'two frames that are 20 hours apart',
    bytes: async () =>
      readFile(
        await ffmpegFixture(
          'mkv',
          '-f lavfi -i testsrc2=size=64x64:rate=1:duration=2 -vf setpts=N*72000/TB -fps_mode passthrough -c:v libx264 -pix_fmt yuv420p'.split(
            ' ',
          ),
        ),
      ),
    image: NOT_MEDIA,
    video: ['video_too_long', 'video_too_complex', 'video_unreadable'],
  },
  {
    name: 'sound without a picture',
    bytes: async () =>
      readFile(await ffmpegFixture('mp4', ['-f', 'lavfi', '-i', 'sine=duration=1', '-c:a', 'aac'])),
    image: NOT_MEDIA,
    video: ['stream_missing'],
  },
];

export const OWN_SAMPLES: readonly Sample[] = [
  ...NOTHING,
  ...PLAYLISTS,
  ...CLAIMS,
  ...GIFS,
  ...CONTAINERS,
  ...CUT_IMAGES,
  ...CUT_CLIPS,
  ...FLIPPED,
  ...STRANGE_CLIPS,
];

const folder = join(
  process.env['MEDIA_SAMPLES'] ?? resolve(import.meta.dirname, '../../../shared/media'),
  'hostile',
);

/** The files of the sample folder, where it is there. Any clear refusal, any whole result. */
export const FOLDER_SAMPLES: readonly Sample[] = existsSync(folder)
  ? readdirSync(folder).map((name) => ({
      name,
      bytes: () => readFile(join(folder, name)),
      image: [
        ...DAMAGED_IMAGE,
        'image_too_large',
        'image_too_complex',
        'image_too_many_frames',
        'media_type_unsupported',
      ],
      video: DAMAGED_CLIP,
      isCutOff: name.includes('trunc'),
    }))
  : [];
