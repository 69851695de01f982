// Whether frames are interlaced, where the file does not say: FFmpeg's idet looks at some of them.

import type { Measure } from '../analyse.ts';
import { quietRun, saidBy } from './quiet-run.ts';

/** Frames looked at, from a tenth into the video: beginnings are often black. */
const FRAMES = 200;
/** This many interlaced frames for each progressive one make it an interlaced video. */
const SHARE = 1;

export const measureInterlacing: Measure<'interlacing'> = async ({ video }, context) => {
  const { durationSeconds } = context.source.probe;
  const text = await quietRun(context, {
    input: { from: 'source', seek: (durationSeconds ?? 0) / 10, seconds: null, options: [] },
    output: [
      '-map',
      `0:${video}`,
      '-an',
      '-sn',
      '-dn',
      '-frames:v',
      `${FRAMES}`,
      '-vf',
      'idet',
      '-f',
      'null',
      '-',
    ],
  });
  return text === undefined ? undefined : readInterlacing(text);
};

/** From idet's summary; undefined if it is not there. */
export function readInterlacing(text: string): { interlaced: boolean } | undefined {
  const found = saidBy('idet', text)
    .map((said) => /^Multi frame detection: TFF:\s*(\d+) BFF:\s*(\d+) Progressive:\s*(\d+)/.exec(said))
    .findLast((summary) => summary !== null);
  if (!found) return undefined;
  const [top, bottom, progressive] = found.slice(1).map(Number) as [number, number, number];
  return { interlaced: Math.max(top, bottom) > progressive * SHARE };
}
