// One transcode: what the job adds to FFmpeg itself, from its start to its published result.

import { jobSeconds, rung, startVideoBench } from '../bare-encode.ts';
import { digits } from '../format.ts';
import { makeClip } from '../media.ts';
import { byRound } from '../report/chart.ts';
import { figure, interleave } from '../scenario.ts';
import type { Pace, Scenario } from '../scenario.ts';
import { median, ratios } from '../statistics.ts';

export interface TranscodeSettings extends Pace {
  /** Length of the clip in seconds. */
  readonly clipSeconds: number;
  /** Lines of the clip, and those asked for. */
  readonly from: number;
  readonly to: number;
  /** Lines that must come. */
  readonly expected?: number;
}

export const transcode: Scenario<TranscodeSettings> = {
  name: 'transcode',
  title: 'One video, against bare FFmpeg with the same arguments',
  full: { rounds: 5, seconds: 0, clipSeconds: 12, from: 1080, to: 720 },
  quick: { rounds: 1, seconds: 0, clipSeconds: 1, from: 180, to: 90 },
  async run({ rounds, clipSeconds, from, to, expected = to }, context) {
    const { signal, progress } = context;
    progress.step('making the clip');
    const source = await makeClip(context.folder, { seconds: clipSeconds, height: from }, signal);
    const work = { source, seconds: clipSeconds, outputs: { video: rung(to) }, heights: { video: expected } };
    await using bench = await startVideoBench(context);
    progress.step('warming up');
    const call = await bench.record(work);
    const measured = await interleave(rounds, context, {
      'bare FFmpeg': () => bench.bare(call, work),
      job: () => jobSeconds(bench, work),
    });
    await bench.server.stop();
    const { job, 'bare FFmpeg': bare } = measured;
    return {
      figures: [
        figure('video overhead', ratios(job, bare), {
          target: { op: '≤', value: 1.03 },
          measured: `${digits(median(job))} s from the job's start to its end`,
          floor: `${digits(median(bare))} s of bare FFmpeg`,
        }),
      ],
      charts: [byRound(`${from}p to ${to}p`, 's', measured)],
      notes: [
        `Source: ${source.description}; to ${to}p MP4. The arguments are those of the server's own call.`,
      ],
    };
  },
};
