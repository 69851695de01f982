// How far keyframes lie apart, told from the packets of the first minute: nothing is decoded.

import { FfmpegLog } from '../ffmpeg-log.ts';
import type { Measure } from '../analyse.ts';
import { fileUrl, inputOptions } from '../ffmpeg-input.ts';

const LOOKED_AT_SECONDS = 60;

export const measureKeyframes: Measure<'keyframes'> = async ({ video }, { tools, place, signal }) => {
  const { path, mediaType } = place.source;
  const args = [
    ...'-hide_banner -loglevel level+error -of csv=p=0'.split(' '),
    ...['-select_streams', `${video}`, '-show_entries', 'packet=pts_time,flags'],
    ...['-read_intervals', `%+${LOOKED_AT_SECONDS}`],
    ...inputOptions(mediaType, place.maxPixels),
    ...['-i', fileUrl(path)],
  ];
  const end = await tools.ffprobe(args, new FfmpegLog(), signal);
  return end.code === 0 ? readKeyframes(end.stdout) : undefined;
};

/** From lines `time,flags`, where `K` in the flags is a keyframe. */
export function readKeyframes(text: string): { longestSeconds: number | null } {
  let last: number | null = null;
  let longest: number | null = null;
  let latest = 0;
  for (const line of text.split('\n')) {
    const [time = '', flags = ''] = line.split(',');
    const at = Number.parseFloat(time);
    if (!Number.isFinite(at)) continue;
    latest = Math.max(latest, at);
    if (!flags.startsWith('K')) continue;
    if (last !== null) longest = Math.max(longest ?? 0, at - last);
    last = at;
  }
  // The stretch after the last one counts too: a single keyframe at the beginning is no dense row.
  if (last === null) return { longestSeconds: null };
  return { longestSeconds: Math.max(longest ?? 0, latest - last) };
}
