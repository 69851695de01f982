// Looks at FFmpeg as Mediamill itself does: that it is there, recent enough, has what the video operations use, and can be bounded.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { guarded, NO_GUARDS } from '../../src/engines/child-guard.ts';
import type { GuardTools } from '../../src/engines/child-guard.ts';
import { FfmpegTools } from '../../src/engines/ffmpeg-tools.ts';
import { readCapabilities } from '../../src/engines/ffmpeg-capabilities.ts';
import { missing, ok, warning } from './finding.ts';
import type { Finding } from './finding.ts';

/** Without these the default output cannot be made. */
const NECESSARY = ['libx264', 'aac'];
const FULL_BUILD =
  'install a full FFmpeg (Debian: apt-get install ffmpeg; Fedora: from RPM Fusion), or name one by FFMPEG_PATH and FFPROBE_PATH';

/** The paths are FFMPEG_PATH and FFPROBE_PATH. */
export async function ffmpeg(paths: { ffmpeg: string; ffprobe: string }): Promise<Finding[]> {
  const [tool, probe, encoders, filters] = await Promise.all([
    output(paths.ffmpeg, ['-version']),
    output(paths.ffprobe, ['-version']),
    output(paths.ffmpeg, ['-hide_banner', '-encoders']),
    output(paths.ffmpeg, ['-hide_banner', '-filters']),
  ]);
  const found = readCapabilities({ ffmpeg: tool, ffprobe: probe, encoders, filters });
  const hardware = found.ffmpeg === null ? null : await hardwareOf(paths);
  return [
    ...(found.ffmpeg === null ? [] : [ok('ffmpeg', `${found.ffmpeg} (${paths.ffmpeg})`)]),
    ...(found.ffprobe === null ? [] : [ok('ffprobe', `${found.ffprobe} (${paths.ffprobe})`)]),
    ...(found.encoders.length === 0 ? [] : [ok('codecs', `FFmpeg has ${found.encoders.join(', ')}`)]),
    ...(hardware === null ? [] : [ok('hardware', hardware)]),
    ...found.missing.map((sentence) => {
      if (sentence.includes(' cannot be run')) return missing('ffmpeg', sentence, './scripts/setup');
      const necessary = NECESSARY.some((name) => sentence.includes(` encoder ${name}:`));
      return (necessary ? missing : warning)('ffmpeg', sentence, FULL_BUILD);
    }),
  ];
}

/** Each that FFmpeg lists was tried on a frame, as the server does when an output asks for it. */
async function hardwareOf({ ffmpeg, ffprobe }: { ffmpeg: string; ffprobe: string }): Promise<string> {
  const tools = new FfmpegTools({ ffmpegPath: ffmpeg, ffprobePath: ffprobe, timeoutSeconds: 60 });
  const works = await tools.hardware();
  return works.size === 0
    ? 'no hardware here encodes video: software does it (nothing is wrong with that)'
    : `encoders of hardware that work here: ${[...works].join(', ')}`;
}

/** setpriv and prlimit of util-linux: they end FFmpeg with Mediamill, and bound what it may take. */
export async function guards(platform: NodeJS.Platform): Promise<Finding> {
  if (platform !== 'linux') {
    return warning(
      'guards',
      'setpriv and prlimit exist on Linux only: if Mediamill is killed by SIGKILL, an encode in work runs on to its end',
    );
  }
  const [setpriv, prlimit] = await Promise.all([works({ setpriv: true }), works({ prlimit: true })]);
  const lacking = [
    ...(setpriv ? [] : ['setpriv (an FFmpeg outlives a Mediamill that is killed by SIGKILL)']),
    ...(prlimit ? [] : ['prlimit (FFmpeg runs without bounds on memory and file size)']),
  ];
  return lacking.length === 0
    ? ok('guards', 'setpriv and prlimit work: no FFmpeg outlives Mediamill or outgrows its bounds')
    : warning(
        'guards',
        `does not work here: ${lacking.join(', ')}`,
        'install util-linux (Alpine: apk add setpriv util-linux-misc)',
      );
}

/** Tried with what it will be used for: BusyBox has a setpriv that cannot do it. */
async function works(tools: Partial<GuardTools>): Promise<boolean> {
  const limits = { cpuSeconds: 60, memoryBytes: 4 * 1024 ** 3, fileBytes: 0, openFiles: 64 };
  const { program, args } = guarded({ program: 'true', args: [] }, { ...NO_GUARDS, ...tools }, limits);
  return (await output(program, args)) !== null;
}

/** What a program prints on standard output, or null if it cannot be run to a good end. */
async function output(program: string, args: readonly string[]): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)(program, args, {
      timeout: 10_000,
      maxBuffer: 4 * 1024 * 1024,
    });
    return stdout;
  } catch {
    return null;
  }
}
