// A source that is web-ready already: copying its streams, against encoding them again.

import { startVideoBench } from '../bare-encode.ts';
import type { Work } from '../bare-encode.ts';
import { check } from '../check.ts';
import { digits, ms } from '../format.ts';
import { workSeconds } from '../job-client.ts';
import { makeClip } from '../media.ts';
import { byRound } from '../report/chart.ts';
import { figure, interleave } from '../scenario.ts';
import type { Pace, Scenario } from '../scenario.ts';
import { median, ratios } from '../statistics.ts';

export interface RemuxSettings extends Pace {
  readonly clipSeconds: number;
  /** Lines. */
  readonly height: number;
}

export const remux: Scenario<RemuxSettings> = {
  name: 'remux',
  title: 'A web-ready source to MP4, against its re-encode',
  full: { rounds: 3, seconds: 0, clipSeconds: 32, height: 1080 },
  quick: { rounds: 1, seconds: 0, clipSeconds: 2, height: 180 },
  async run({ rounds, clipSeconds, height }, context) {
    const { signal, progress } = context;
    progress.step('making the clip');
    const source = await makeClip(context.folder, { seconds: clipSeconds, height }, signal);
    const work = (encode: 'auto' | 'always'): Work => ({
      source,
      seconds: clipSeconds,
      outputs: { video: { type: 'transcode', format: 'mp4', encode } },
      heights: { video: height },
    });
    await using bench = await startVideoBench(context);
    const timedJob = async (encode: 'auto' | 'always', how: 'copied' | 'encoded'): Promise<number> => {
      const job = await bench.run(work(encode));
      const decisions = job.outputs[0]?.decisions ?? [];
      const agree = decisions.some((line) => line.startsWith(`picture ${how}`));
      check(agree, `the picture was not ${how}: ${decisions.join('; ')}`);
      return workSeconds(job);
    };
    progress.step('warming up');
    await timedJob('auto', 'copied');
    const { copy, encode } = await interleave(rounds, context, {
      encode: () => timedJob('always', 'encoded'),
      copy: () => timedJob('auto', 'copied'),
    });
    await bench.server.stop();
    return {
      figures: [
        figure('remux', ratios(copy, encode), {
          target: { op: '≤', value: 0.03 },
          measured: `${ms(median(copy))} for the job that copies`,
          floor: `${digits(median(encode))} s for the job that encodes`,
        }),
      ],
      charts: [byRound('Time of the job that copies', 'ms', { copy: copy.map((seconds) => seconds * 1000) })],
      notes: [`Source: ${source.description}; to MP4 with encode auto and always.`],
    };
  },
};
