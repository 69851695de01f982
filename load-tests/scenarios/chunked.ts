// VP9 in parallel chunks, against bare FFmpeg that encodes the whole with the arguments of the server's own call.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { jobSeconds, startVideoBench } from '../bare-encode.ts';
import type { Look, Work } from '../bare-encode.ts';
import { check, checkEqual } from '../check.ts';
import { digits } from '../format.ts';
import { FFMPEG, makeSteadyClip } from '../media.ts';
import { byRound } from '../report/chart.ts';
import { figure, interleave } from '../scenario.ts';
import type { Pace, Scenario } from '../scenario.ts';
import { median, ratios } from '../statistics.ts';

export interface ChunkedSettings extends Pace {
  readonly clipSeconds: number;
  /** Lines of the clip, and of the result. */
  readonly height: number;
  /** Frames a second. */
  readonly fps: number;
  readonly effort: 'fast' | 'balanced';
}

/** So much of SSIM is within what one encode differs from another by. */
const SAME_LOOK = 0.002;

interface Seen {
  readonly frames: number;
  readonly ssim: number;
}

export const chunked: Scenario<ChunkedSettings> = {
  name: 'chunked',
  title: 'VP9 in parallel chunks, against bare FFmpeg in one piece',
  full: { rounds: 3, seconds: 0, clipSeconds: 20, height: 480, fps: 30, effort: 'balanced' },
  quick: { rounds: 1, seconds: 0, clipSeconds: 10, height: 90, fps: 10, effort: 'fast' },
  async run({ rounds, clipSeconds, height, fps, effort }, context) {
    const { signal, progress } = context;
    progress.step('making the clip');
    const source = await makeSteadyClip(context.folder, { seconds: clipSeconds, height, fps }, signal);
    const work: Work = {
      source,
      seconds: clipSeconds,
      outputs: { video: { type: 'transcode', format: 'webm', effort } },
      heights: { video: height },
      codecs: ['vp9', 'opus'],
    };
    await using whole = await startVideoBench({ ...context, env: { ...context.env, VIDEO_CHUNKS: 'off' } });
    progress.step('warming up: in one piece');
    const call = await whole.record(work);
    await whole.server.stop();
    const seen: Record<'bare' | 'job', Seen | undefined> = { bare: undefined, job: undefined };
    const looking =
      (who: 'bare' | 'job'): Look =>
      async (result) => {
        seen[who] = await lookAt(result, source.path, signal);
      };
    await whole.bare(call, work, looking('bare'));
    await using bench = await startVideoBench(context);
    progress.step('warming up: in chunks');
    const job = await bench.run(work, looking('job'));
    const decisions = job.outputs[0]?.decisions ?? [];
    check(
      decisions.some((line) => /^encoded in \d+ chunks /.test(line)),
      `the job was not made in chunks: ${decisions.join('; ')}`,
    );
    checkEqual('frames in chunks', seen.job?.frames, seen.bare?.frames);
    const [likeness, floor] = [seen.job?.ssim ?? 0, seen.bare?.ssim ?? 1];
    check(likeness >= floor - SAME_LOOK, `SSIM in chunks is ${likeness}, in one piece ${floor}`);
    const measured = await interleave(rounds, context, {
      'bare FFmpeg': () => whole.bare(call, work),
      'job in chunks': () => jobSeconds(bench, work),
    });
    await bench.server.stop();
    const { 'job in chunks': jobs, 'bare FFmpeg': bare } = measured;
    return {
      figures: [
        figure('chunked', ratios(jobs, bare), {
          target: { op: '≤', value: 0.95 },
          measured: `${digits(median(jobs))} s for the job in chunks`,
          floor: `${digits(median(bare))} s of bare FFmpeg in one piece`,
        }),
      ],
      charts: [byRound(`VP9 at ${height}p`, 's', measured)],
      notes: [
        `Source: ${source.description}; to WebM at its own size. The bare run has the arguments of the server's own call with VIDEO_CHUNKS=off.`,
        `Frames: ${seen.job?.frames} and ${seen.bare?.frames}. SSIM to the source: ${likeness} in chunks, ${floor} in one piece.`,
      ],
    };
  },
};

/** Counts the frames of a result by decoding them all, and holds them against those of the source. */
async function lookAt(result: string, source: string, signal: AbortSignal): Promise<Seen> {
  const graph = '[0:v:0]settb=AVTB,setpts=N[a];[1:v:0]settb=AVTB,setpts=N[b];[a][b]ssim';
  const { stderr } = await promisify(execFile)(
    FFMPEG,
    ['-nostdin', '-hide_banner', '-i', result, '-i', source, '-filter_complex', graph, '-f', 'null', '-'],
    { signal, maxBuffer: 16 * 1024 * 1024 },
  );
  const frames = [...stderr.matchAll(/frame= *(\d+)/g)].at(-1)?.[1];
  const ssim = /SSIM .* All:([\d.]+)/.exec(stderr)?.[1];
  check(
    frames !== undefined && ssim !== undefined,
    `FFmpeg said nothing of the frames: ${stderr.slice(-500)}`,
  );
  return { frames: Number(frames), ssim: Number(ssim) };
}
