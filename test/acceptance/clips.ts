// The clips: real ones where they are, and odd ones that FFmpeg makes, which flash and beep each second.

import { existsSync, readdirSync } from 'node:fs';
import { extname, join, resolve } from 'node:path';
import { ffmpegFixture } from '../support/fixtures.ts';

export interface Clip {
  readonly name: string;
  readonly mediaType: string;
  path(): Promise<string>;
  /** It flashes and beeps: whether both are still together can be seen from the result alone. */
  readonly beeps: boolean;
}

const SAMPLES = resolve(
  import.meta.dirname,
  '../..',
  process.env['MEDIA_SAMPLES'] ?? '../shared/media',
  'clips',
);

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.mp4': 'video/mp4',
  '.mov': 'video/quicktime',
  '.mkv': 'video/x-matroska',
  '.webm': 'video/webm',
  '.ts': 'video/mp2t',
  '.avi': 'video/x-msvideo',
  '.gif': 'image/gif',
};

/** None where the samples are not. */
export function sampleClips(): Clip[] {
  if (!existsSync(SAMPLES)) return [];
  return readdirSync(SAMPLES)
    .toSorted()
    .flatMap((name) => {
      const mediaType = MEDIA_TYPES[extname(name)];
      return mediaType === undefined
        ? []
        : [{ name, mediaType, beeps: false, path: async () => join(SAMPLES, name) }];
    });
}

const X264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'];
const AAC = ['-c:a', 'aac'];

/** As `flashAndBeep`, four seconds over a dark picture that moves, so that each moment and each side of it is known. */
function lossless(fps = '25'): Promise<string> {
  return ffmpegFixture('mkv', [
    ...['-f', 'lavfi', '-i', `testsrc2=size=320x180:rate=${fps}:duration=4`],
    ...['-f', 'lavfi', '-i', 'sine=frequency=1000:sample_rate=48000:duration=4'],
    '-vf',
    [
      'colorlevels=romax=0.45:gomax=0.45:bomax=0.45',
      'hue=H=t',
      `drawbox=enable='lt(mod(t\\,1)\\,2/(${fps})-0.001)*gt(t\\,0.5)':color=white:t=fill`,
    ].join(','),
    ...['-af', "asetnsamples=480,volume='if(gt(t\\,0.5)*lt(mod(t\\,1)\\,0.08)\\,4\\,0)':eval=frame"],
    ...['-c:v', 'ffv1', '-pix_fmt', 'yuv420p', '-c:a', 'pcm_s16le'],
  ]);
}

async function remade(extension: string, ...options: readonly string[]): Promise<string> {
  return ffmpegFixture(extension, ['-i', await lossless(), ...options]);
}

const ODD: Readonly<Record<string, () => Promise<string>>> = {
  'plain.mp4': () => remade('mp4', ...X264, ...AAC),
  'b-frames.mp4': () =>
    remade('mp4', '-c:v', 'libx264', '-bf', '3', '-g', '50', '-pix_fmt', 'yuv420p', ...AAC),
  'ntsc.mp4': async () => ffmpegFixture('mp4', ['-i', await lossless('30000/1001'), ...X264, ...AAC]),
  'late-sound.mkv': () => remade('mkv', ...X264, '-af', 'atrim=start=0.7', '-c:a', 'aac'),
  'late-picture.mkv': () =>
    remade('mkv', '-vf', 'trim=start=0.6', '-fps_mode', 'passthrough', ...X264, ...AAC),
  'late-sound-24.mp4': async () =>
    ffmpegFixture('mp4', ['-i', await lossless('24'), ...X264, '-af', 'atrim=start=0.51', ...AAC]),
  'both-late.ts': () =>
    remade('ts', ...X264, '-g', '25', '-c:a', 'mp2', '-output_ts_offset', '7.3', '-f', 'mpegts'),
  'edit-list.mp4': async () => {
    const whole = await remade(
      'mp4',
      '-c:v',
      'libx264',
      '-bf',
      '2',
      '-g',
      '60',
      '-pix_fmt',
      'yuv420p',
      ...AAC,
    );
    return ffmpegFixture('mp4', ['-ss', '0.72', '-i', whole, '-c', 'copy']);
  },
  'uneven.mkv': () =>
    remade(
      'mkv',
      '-vf',
      "select='lt(mod(t,1),0.2)+not(mod(n,3))'",
      '-fps_mode',
      'vfr',
      ...X264,
      '-c:a',
      'libopus',
    ),
  'surround.mov': () =>
    remade(
      'mov',
      ...X264,
      '-af',
      'pan=5.1|FL=0*c0|FR=0*c0|FC=c0|LFE=0*c0|BL=0*c0|BR=0*c0',
      '-c:a',
      'pcm_s16le',
    ),
  'mono-22k.avi': () =>
    remade('avi', '-c:v', 'mpeg4', '-q:v', '4', '-ar', '22050', '-ac', '1', '-c:a', 'libmp3lame'),
  'turned-odd.mp4': () =>
    remade('mp4', '-vf', 'scale=161:271,setsar=4/3', '-c:v', 'libx264', '-pix_fmt', 'yuv444p', ...AAC),
  'interlaced.ts': async () =>
    ffmpegFixture('ts', [
      ...['-i', await lossless('50'), '-vf', 'tinterlace=interleave_top', '-flags', '+ildct+ilme'],
      ...['-c:v', 'mpeg2video', '-q:v', '4', '-c:a', 'mp2'],
    ]),
  'two-tracks.mkv': () =>
    remade(
      'mkv',
      ...['-filter_complex', '[0:a]asplit[one][two];[two]asetrate=40000,aresample=48000,atrim=end=4[low]'],
      ...['-map', '0:v', '-map', '[one]', '-map', '[low]', ...X264, '-c:a:0', 'libopus', '-c:a:1', 'ac3'],
      ...['-metadata:s:a:0', 'language=eng', '-metadata:s:a:1', 'language=deu'],
      ...['-metadata', 'title=Two voices', '-metadata:s:a:1', 'title=Commentary by Jane'],
    ),
  'silent.webm': () => remade('webm', '-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-an'),
};

export function oddClips(): Clip[] {
  return Object.entries(ODD).map(([name, path]) => ({
    name,
    mediaType: MEDIA_TYPES[extname(name)] ?? '',
    beeps: name !== 'silent.webm',
    path,
  }));
}
