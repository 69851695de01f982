// Four MP4s of one job share their decoding and scaling; four FFmpeg runs do not.

import { jobSeconds, rung, startVideoBench } from '../bare-encode.ts';
import type { Work } from '../bare-encode.ts';
import { digits } from '../format.ts';
import { makeClip } from '../media.ts';
import { byRound } from '../report/chart.ts';
import { figure, interleave } from '../scenario.ts';
import type { Pace, Scenario } from '../scenario.ts';
import { median, ratios } from '../statistics.ts';

export interface RenditionsSettings extends Pace {
  readonly clipSeconds: number;
  /** Lines of the clip, and of each rung. */
  readonly from: number;
  readonly heights: readonly number[];
}

export const renditions: Scenario<RenditionsSettings> = {
  name: 'renditions',
  title: 'Four MP4s in one job, against four FFmpeg runs one after another',
  full: { rounds: 3, seconds: 0, clipSeconds: 8, from: 1080, heights: [1080, 720, 480, 360] },
  quick: { rounds: 1, seconds: 0, clipSeconds: 1, from: 180, heights: [180, 90] },
  async run({ rounds, clipSeconds, from, heights }, context) {
    const { signal, progress } = context;
    progress.step('making the clip');
    const source = await makeClip(context.folder, { seconds: clipSeconds, height: from }, signal);
    // Asked for always: at the source's own size the server would copy, which is no rung of four encodes.
    const work = (lines: readonly number[]): Work => ({
      source,
      seconds: clipSeconds,
      outputs: Object.fromEntries(
        lines.map((height) => [`p${height}`, { ...rung(height), encode: 'always' }]),
      ),
      heights: Object.fromEntries(lines.map((height) => [`p${height}`, height])),
    });
    await using bench = await startVideoBench(context);
    const singles: { work: Work; call: string[] }[] = [];
    for (const height of heights) {
      progress.step(`warming up: ${height}p`);
      singles.push({ work: work([height]), call: await bench.record(work([height])) });
    }
    const { one, four } = await interleave(rounds, context, {
      async four() {
        let seconds = 0;
        for (const single of singles) seconds += await bench.bare(single.call, single.work);
        return seconds;
      },
      one: () => jobSeconds(bench, work(heights)),
    });
    await bench.server.stop();
    return {
      figures: [
        figure('renditions', ratios(one, four), {
          measured: `${digits(median(one))} s for the job of ${heights.length} outputs`,
          floor: `${digits(median(four))} s for ${heights.length} bare FFmpeg runs`,
        }),
      ],
      charts: [
        byRound(`${from}p to ${heights.join(', ')}`, 's', { 'four FFmpeg runs': four, 'one job': one }),
      ],
      notes: [
        `Source: ${source.description}; to MP4 of ${heights.join(', ')} lines. The bare runs have the arguments of the server's own jobs of one output.`,
      ],
    };
  },
};
