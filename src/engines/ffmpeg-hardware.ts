// Which hardware encoders work here: FFmpeg lists all that it was built with, so each is tried on one frame.

import { HARDWARE, HARDWARE_ENCODERS, VAAPI_DEVICE } from '../operations/video/hardware.ts';
import type { Hardware } from '../operations/video/hardware.ts';

/** NVENC takes nothing smaller than 145 × 49. */
const FRAME = 'color=size=320x240:rate=25:duration=0.2';

/**
 * Names of the encoders that are listed and encode a frame. `list` gives what `ffmpeg -encoders` prints, or null;
 * `works` tells whether FFmpeg ends well with these arguments.
 */
export async function findHardware(
  list: () => Promise<string | null>,
  works: (args: readonly string[]) => Promise<boolean>,
): Promise<ReadonlySet<string>> {
  const listed = new Set(
    [...((await list()) ?? '').matchAll(/^ V[A-Z.]{5} (\w+) /gm)].map(([, name]) => name),
  );
  const found = new Set<string>();
  for (const kind of HARDWARE) {
    for (const encoder of Object.values(HARDWARE_ENCODERS[kind])) {
      // One after the other: some cards take few encodes at a time.
      if (listed.has(encoder) && (await works(trial(kind, encoder)))) found.add(encoder);
    }
  }
  return found;
}

/** One frame to nowhere. */
export function trial(kind: Hardware, encoder: string): string[] {
  const upload = kind === 'vaapi';
  return [
    ...'-nostdin -hide_banner -loglevel error'.split(' '),
    ...(upload ? ['-vaapi_device', VAAPI_DEVICE] : []),
    ...['-f', 'lavfi', '-i', FRAME, '-frames:v', '1'],
    ...['-vf', upload ? 'format=nv12,hwupload' : `format=${kind === 'qsv' ? 'nv12' : 'yuv420p'}`],
    ...['-c:v', encoder, '-f', 'null', '-'],
  ];
}
