// A ladder for streaming: four rungs in one job, against four FFmpeg runs of one rung; and how soon it can be watched.

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobView } from '../../src/jobs/job-view.ts';
import { check, checkEqual } from '../check.ts';
import { onlyCall, rebase, recordFFmpeg, timed } from '../ffmpeg-recorder.ts';
import type { Recorder } from '../ffmpeg-recorder.ts';
import { digits } from '../format.ts';
import { JobClient, workSeconds } from '../job-client.ts';
import { FFMPEG, makeClip } from '../media.ts';
import type { Medium } from '../media.ts';
import { byRound } from '../report/chart.ts';
import { figure, interleave } from '../scenario.ts';
import type { Context, Figure, Pace, Scenario } from '../scenario.ts';
import { startServer } from '../server-process.ts';
import type { ServerProcess } from '../server-process.ts';
import { median, ratios } from '../statistics.ts';

export interface LadderSettings extends Pace {
  readonly clipSeconds: number;
  /** Lines of the clip, and of each rung. */
  readonly from: number;
  readonly heights: readonly number[];
}

export const ladder: Scenario<LadderSettings> = {
  name: 'ladder',
  title: 'A ladder of four rungs in one job, against four FFmpeg runs one after another',
  full: { rounds: 3, seconds: 0, clipSeconds: 30, from: 1080, heights: [1080, 720, 480, 360] },
  quick: { rounds: 1, seconds: 0, clipSeconds: 4, from: 180, heights: [180, 90] },
  async run({ rounds, clipSeconds, from, heights }, context) {
    const { folder, signal, env, progress } = context;
    progress.step('making the clips');
    const film = await makeClip(folder, { seconds: clipSeconds, height: from }, signal);
    const drawn = await makeClip(folder, { seconds: clipSeconds, height: from, drawn: true }, signal);
    const scratch = await mkdtemp(join(folder, 'hls-'));
    const recorder = await recordFFmpeg(scratch, FFMPEG);
    const server = await startServer({ signal, env: { ...env, FFMPEG_PATH: recorder.path } });
    try {
      const jobs = new JobClient(server.address, signal);
      const bench: LadderBench = { jobs, recorder, server, scratch, heights };
      const ofFilm = await measure(film, rounds, bench, context);
      const ofDrawn = await measure(drawn, rounds, bench, context);
      return {
        figures: [
          ladderFigure('ladder', ofFilm, heights),
          ladderFigure('ladder, drawn', ofDrawn, heights),
          figure('first segment', ratios(ofFilm.first, ofFilm.whole), {
            target: { op: '≤', value: 0.25 },
            measured: `${digits(median(ofFilm.first))} s until the stream can be watched`,
            floor: `${digits(median(ofFilm.whole))} s for all of it`,
          }),
        ],
        charts: [
          byRound(`${from}p to ${heights.join(', ')}`, 's', {
            'four FFmpeg runs': ofFilm.four,
            'one job': ofFilm.whole,
          }),
        ],
        notes: [
          `Sources: ${film.description}; and ${drawn.description}. To an HLS ladder of ${heights.join(', ')} lines with sound, effort "fast" (x264 veryfast), as is its default. The bare runs have the arguments of the server's own jobs of one rung.`,
          'What is shared is decoding and scaling. Where the picture is hard to encode, as a film is, that is a small part of the work: on two cores, decoding and scaling for all four rungs of the film took 1.4 s of 16.8 s.',
        ],
      };
    } finally {
      await server.stop();
      await rm(scratch, { recursive: true, force: true });
    }
  },
};

interface LadderBench {
  readonly jobs: JobClient;
  readonly recorder: Recorder;
  readonly server: ServerProcess;
  readonly scratch: string;
  readonly heights: readonly number[];
}

/** Seconds, round by round. */
interface LadderTimes {
  /** Until the stream can be watched, and until it is complete. */
  readonly first: readonly number[];
  readonly whole: readonly number[];
  readonly four: readonly number[];
}

function ladderFigure(name: string, { whole, four }: LadderTimes, heights: readonly number[]): Figure {
  return figure(name, ratios(whole, four), {
    target: { op: '≤', value: 0.7 },
    measured: `${digits(median(whole))} s for the job of ${heights.length} rungs`,
    floor: `${digits(median(four))} s for ${heights.length} bare FFmpeg runs`,
  });
}

async function measure(
  source: Medium,
  rounds: number,
  { jobs, recorder, server, scratch, heights }: LadderBench,
  context: Context,
): Promise<LadderTimes> {
  const { signal, progress } = context;
  const wish = (lines: readonly number[]) => ({ tv: { type: 'hls', encode: 'always', heights: [...lines] } });
  /** Seconds from the start of the work until the stream can be watched, and until it is complete. */
  const run = async (lines: readonly number[]): Promise<{ first: number; whole: number }> => {
    const { id } = await jobs.submit(source.path, wish(lines));
    let seen: number | null = null;
    let job: JobView = await jobs.get(id);
    while (job.finishedAt === null) {
      if (seen === null && job.outputs[0]?.url !== null) seen = Date.now();
      await delay(50, undefined, { signal });
      job = await jobs.get(id);
    }
    check(job.status === 'succeeded', `the job ${job.status}: ${JSON.stringify(job.problem)}`);
    const rungs = job.outputs[0]?.files?.filter(({ file }) => /^v\d+\.m3u8$/.test(file)) ?? [];
    checkEqual(
      'heights of the rungs',
      rungs.map(({ height }) => height),
      [...lines],
    );
    // One that is made between two looks could not be watched before its end.
    const first = ((seen ?? Date.parse(job.finishedAt)) - Date.parse(job.startedAt ?? '')) / 1000;
    await jobs.remove(id);
    return { first, whole: workSeconds(job) };
  };
  const singles: string[][] = [];
  for (const height of heights) {
    progress.step(`warming up: ${height}p`);
    await recorder.take();
    await run([height]);
    singles.push(onlyCall(await recorder.take(), `${height}p`));
  }
  const bare = async (call: readonly string[]): Promise<number> => {
    const to = await mkdtemp(join(scratch, 'bare-'));
    // Where the segments go, relative to the working directory.
    await mkdir(join(to, '0'));
    const args = rebase(call, server.dataDir, { source: source.path, folder: join(to, '0') });
    const seconds = await timed(recorder.path, args, signal, to);
    await rm(to, { recursive: true });
    return seconds;
  };
  const first: number[] = [];
  const whole: number[] = [];
  const { four } = await interleave(rounds, context, {
    async four() {
      let seconds = 0;
      for (const call of singles) seconds += await bare(call);
      return seconds;
    },
    async one() {
      const took = await run(heights);
      first.push(took.first);
      whole.push(took.whole);
      return took.whole;
    },
  });
  return { first, whole, four };
}
