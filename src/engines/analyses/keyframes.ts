// How far keyframes lie apart, told from the packets: nothing is decoded.

import { stat } from 'node:fs/promises';
import type { Measure } from '../analyse.ts';
import { wholeInput } from '../ffmpeg-input.ts';

/** Bytes of a file that is read to its end: some seconds from a disk. */
const WHOLE_UP_TO = 2 * 1024 ** 3;
/** Seconds looked at of larger ones. */
const BEGINNING = 60;

export const measureKeyframes: Measure<'keyframes'> = async ({ video }, { tools, place, signal }) => {
  const { size } = await stat(place.source.path);
  const args = [
    ...'-hide_banner -loglevel level+error -of csv=p=0'.split(' '),
    ...['-select_streams', `${video}`, '-show_entries', 'packet=pts_time,flags'],
    ...(size > WHOLE_UP_TO ? ['-read_intervals', `%+${BEGINNING}`] : []),
    ...wholeInput(place.source, place.maxPixels),
  ];
  const gaps = new KeyframeGaps();
  const end = await tools.ffprobeLines(args, signal, (line) => gaps.add(line));
  return end.code === 0 ? gaps.found() : undefined;
};

/** Takes lines `time,flags` as they come, where `K` in the flags is a keyframe. */
export class KeyframeGaps {
  #last: number | null = null;
  #longest = 0;
  #latest = 0;

  add(line: string): void {
    const [time = '', flags = ''] = line.split(',');
    const at = Number.parseFloat(time);
    if (!Number.isFinite(at)) return;
    this.#latest = Math.max(this.#latest, at);
    if (!flags.startsWith('K')) return;
    if (this.#last !== null) this.#longest = Math.max(this.#longest, at - this.#last);
    this.#last = at;
  }

  found(): { longestSeconds: number | null } {
    if (this.#last === null) return { longestSeconds: null };
    // The stretch after the last one counts too: a single keyframe at the beginning is no dense row.
    return { longestSeconds: Math.max(this.#longest, this.#latest - this.#last) };
  }
}
