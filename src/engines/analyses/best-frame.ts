// The frame that shows most: keyframes from all over the video, judged by their detail, light and colour at a small size.

import type { Measure } from '../analyse.ts';
import { quietRun, saidBy } from './quiet-run.ts';

const CANDIDATES = 60;
/** Up to this length all frames are looked at: such clips often have but one keyframe, the dark one they fade in from. */
const SHORT_SECONDS = 20;
/** Two values of each frame, named as FFmpeg's filters write them. */
const ENTROPY = 'lavfi.entropy.normalized_entropy.normal.Y';
const LIGHT = 'lavfi.signalstats.YAVG';
const COLOUR = 'lavfi.signalstats.SATAVG';
/** Normalised entropy of a frame with nothing to see: one colour, a fade, a line of text on black. */
const BLANK = 0.3;

export const findBestFrame: Measure<'bestFrame'> = async ({ video, seconds }, context) => {
  const apart = (seconds / CANDIDATES).toFixed(3);
  const chain = [
    `select=isnan(prev_selected_t)+gte(t-prev_selected_t\\,${apart})`,
    'scale=160:-2:flags=area',
    'format=yuv420p',
    'signalstats',
    'entropy',
    ...[ENTROPY, LIGHT, COLOUR].map((key) => `metadata=mode=print:key=${key}`),
  ];
  const text = await quietRun(context, {
    input: {
      from: 'source',
      seek: 0,
      seconds: null,
      options: seconds > SHORT_SECONDS ? ['-skip_frame', 'nokey'] : [],
    },
    output: [
      '-map',
      `0:${video}`,
      '-an',
      '-sn',
      '-dn',
      '-vf',
      chain.join(','),
      '-fps_mode',
      'passthrough',
      '-f',
      'null',
      '-',
    ],
  });
  return text === undefined ? undefined : readBestFrame(text, seconds);
};

interface Candidate {
  readonly at: number;
  readonly entropy: number;
  /** Mean luma, 16–235. */
  readonly light: number;
  /** Mean saturation, 0–180. */
  readonly colour: number;
}

/** From what the filters printed. Undefined if that was nothing, null if all frames are blank. */
export function readBestFrame(
  text: string,
  seconds: number,
): { at: number; candidates: number } | null | undefined {
  const candidates = readCandidates(text);
  if (candidates.length === 0) return undefined;
  let best: { at: number; score: number } | null = null;
  for (const candidate of candidates) {
    const score = scoreOf(candidate, seconds);
    if (candidate.entropy >= BLANK && (best === null || score > best.score))
      best = { at: candidate.at, score };
  }
  return best && { at: best.at, candidates: candidates.length };
}

/** Detail counts most, then colour; dark and glaring frames lose, and so do the ends, where titles and credits are. */
function scoreOf({ at, entropy, light, colour }: Candidate, seconds: number): number {
  const exposure = Math.min(1, Math.max(0, light - 16) / 50, Math.max(0, 240 - light) / 40);
  const share = at / seconds;
  const place = share < 0.03 || share > 0.92 ? 0.85 : 1;
  return (entropy + 0.3 * Math.min(1, colour / 60)) * exposure * place;
}

function readCandidates(text: string): Candidate[] {
  const found = new Map<number, { entropy?: number; light?: number; colour?: number }>();
  let values: { entropy?: number; light?: number; colour?: number } = {};
  for (const line of saidBy('metadata', text)) {
    const time = /^frame:\d+\s+pts:\S+\s+pts_time:(\S+)/.exec(line)?.[1];
    if (time !== undefined) {
      const at = Number(time);
      values = {};
      if (!Number.isFinite(at)) continue;
      values = found.get(at) ?? {};
      found.set(at, values);
      continue;
    }
    const [, key, figure] = /^(lavfi\.[\w.]+)=(\d+(?:\.\d+)?)\s/.exec(`${line}\n`) ?? [];
    if (key === ENTROPY) values.entropy = Number(figure);
    else if (key === LIGHT) values.light = Number(figure);
    else if (key === COLOUR) values.colour = Number(figure);
  }
  return [...found].flatMap(([at, { entropy, light, colour = 0 }]) =>
    entropy === undefined || light === undefined || at < 0 ? [] : [{ at, entropy, light, colour }],
  );
}
