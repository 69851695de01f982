// A VP9 over the machines of a fleet: two that encode one chunk at a time each, against one.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { check, checkEqual } from '../check.ts';
import { startFleetBackends } from '../fleet-backends.ts';
import type { FleetBackends } from '../fleet-backends.ts';
import { digits } from '../format.ts';
import { JobClient, workSeconds } from '../job-client.ts';
import { FFMPEG, makeSteadyClip } from '../media.ts';
import { checkVideo } from '../probe.ts';
import { byRound } from '../report/chart.ts';
import { figure, interleave } from '../scenario.ts';
import type { Context, Pace, Scenario } from '../scenario.ts';
import { startServer } from '../server-process.ts';
import { median, ratios } from '../statistics.ts';

export interface FleetFilmSettings extends Pace {
  readonly clipSeconds: number;
  /** Lines of the clip, and of the result. */
  readonly height: number;
  /** Frames a second. */
  readonly fps: number;
  readonly effort: 'fast' | 'balanced';
  /** Whether each fleet makes the film once before it is measured. */
  readonly warmUp: boolean;
}

interface Fleet extends AsyncDisposable {
  /** One job: its seconds, and a hash of every frame of its result. */
  run(): Promise<{ readonly seconds: number; readonly frames: string }>;
}

export const fleetFilm: Scenario<FleetFilmSettings> = {
  name: 'fleet-film',
  title: 'A VP9 in chunks on two machines with one encode each, against one such machine',
  full: { rounds: 3, seconds: 0, clipSeconds: 60, height: 480, fps: 30, effort: 'balanced', warmUp: true },
  quick: { rounds: 1, seconds: 0, clipSeconds: 20, height: 90, fps: 10, effort: 'fast', warmUp: false },
  async run({ rounds, clipSeconds, height, fps, effort, warmUp }, context) {
    const { signal, progress } = context;
    progress.step('making the clip');
    const source = await makeSteadyClip(context.folder, { seconds: clipSeconds, height, fps }, signal);
    const work = { path: source.path, seconds: clipSeconds, height, effort };
    await using backends = await startFleetBackends(context.folder);
    await using one = await startFleet(1, work, backends, context);
    await using two = await startFleet(2, work, backends, context);
    let seen: string | undefined;
    const secondsOf = async (fleet: Fleet): Promise<number> => {
      const { seconds, frames } = await fleet.run();
      checkEqual('frames of a result, against those of the first', frames, (seen ??= frames));
      return seconds;
    };
    if (warmUp) {
      progress.step('warming up');
      for (const fleet of [one, two]) await secondsOf(fleet);
    }
    const measured = await interleave(rounds, context, {
      'one machine': () => secondsOf(one),
      'two machines': () => secondsOf(two),
    });
    const { 'one machine': ones, 'two machines': twos } = measured;
    return {
      figures: [
        figure('film on two machines', ratios(ones, twos), {
          target: { op: '≥', value: 1.7 },
          measured: `${digits(median(twos))} s on two machines`,
          floor: `${digits(median(ones))} s on one`,
        }),
      ],
      charts: [byRound(`VP9 at ${height}p`, 's', measured)],
      notes: [
        `Source: ${source.description}; to WebM at its own size, ${effort}. Each machine is a program of its own with CHUNK_SLOTS=1, of one encoder thread; they share a Redis and an S3 emulator on this machine.`,
        `Every frame of all results is the same to the bit (${seen}).`,
      ],
    };
  },
};

interface FilmWork {
  readonly path: string;
  readonly seconds: number;
  readonly height: number;
  readonly effort: string;
}

async function startFleet(
  machines: number,
  { path, seconds, height, effort }: FilmWork,
  backends: FleetBackends,
  { signal, env }: Context,
): Promise<Fleet> {
  await using stack = new AsyncDisposableStack();
  const own = { ...env, ...backends.settings(`film-${machines}`), PROCESSES: '1', CHUNK_SLOTS: '1' };
  const starts = Array.from({ length: machines }, () => startServer({ signal, env: own }));
  // Those that have started are stopped, too, where one has not.
  for (const start of await Promise.allSettled(starts))
    if (start.status === 'fulfilled') stack.use(start.value);
  const [first] = await Promise.all(starts);
  const jobs = new JobClient(first?.address ?? '', signal);
  const all = stack.move();
  return {
    async run() {
      const job = await jobs.run(path, { video: { type: 'transcode', format: 'webm', effort } });
      const decisions = job.outputs[0]?.decisions ?? [];
      check(
        decisions.some((line) => /^encoded in \d+ chunks .*by whatever machine/.test(line)),
        `the job was not shared: ${decisions.join('; ')}`,
      );
      const result = jobs.output(job, 'video');
      await checkVideo('the result', result, { height, seconds, codecs: ['vp9', 'opus'] });
      const frames = await framesOf(result, signal);
      await jobs.remove(job.id);
      return { seconds: workSeconds(job), frames };
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** A hash of all decoded frames. */
async function framesOf(result: string, signal: AbortSignal): Promise<string> {
  const args = ['-v', 'error', '-nostdin', '-i', result, '-map', '0:v', '-f', 'streamhash', '-'];
  const { stdout } = await promisify(execFile)(FFMPEG, args, { signal });
  return stdout.trim();
}
