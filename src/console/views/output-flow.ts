// Outputs of different heights in two columns without holes.

import type { JobOutput } from '../api.ts';

/** How high their cards are, roughly, against one another. By type alone: a card that is looked at must not move. */
const HEIGHTS: Readonly<Record<string, number>> = {
  ...{ hls: 4, transcode: 4, concat: 4, preview: 3, probe: 4 },
  ...{ image: 3, imageSet: 4, thumbnail: 3, storyboard: 3, audio: 2, waveform: 1 },
};

/** One column for one output; else two, each next one under the shorter. */
export function flow<Output extends Pick<JobOutput, 'type'>>(
  outputs: readonly Output[],
): readonly (readonly Output[])[] {
  if (outputs.length < 2) return [outputs];
  const columns: [Output[], Output[]] = [[], []];
  const heights: [number, number] = [0, 0];
  for (const output of outputs) {
    const index = heights[1] < heights[0] ? 1 : 0;
    columns[index].push(output);
    heights[index] += HEIGHTS[output.type] ?? 3;
  }
  return columns;
}
