// A server whose FFmpeg calls are noted, and the same calls made bare: what the video scenarios have in common.

import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobView } from '../src/jobs/job-view.ts';
import { onlyCall, rebase, recordFFmpeg, timed } from './ffmpeg-recorder.ts';
import { JobClient, workSeconds } from './job-client.ts';
import type { Outputs } from './job-client.ts';
import { FFMPEG } from './media.ts';
import type { Medium } from './media.ts';
import { checkVideo } from './probe.ts';
import type { Context } from './scenario.ts';
import { startServer } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';

export interface Work {
  readonly source: Medium;
  /** Length of the source, and so of every output. */
  readonly seconds: number;
  readonly outputs: Outputs;
  /** Lines that each output must have. */
  readonly heights: Readonly<Record<string, number>>;
  /** Of picture and sound; those of MP4 if not told. */
  readonly codecs?: readonly [string, string];
}

/** Told where a result is, before it is removed: an address or a path. */
export type Look = (result: string) => Promise<void>;

export interface VideoBench extends AsyncDisposable {
  readonly server: ServerProcess;
  readonly jobs: JobClient;
  /** One job, its results checked and removed. Returns it. */
  run(work: Work, look?: Look): Promise<JobView>;
  /** One job as by `run`. Returns the FFmpeg call that it made. */
  record(work: Work): Promise<string[]>;
  /** Runs a recorded call bare on the same source; checks what it made. Wall time in seconds. */
  bare(call: readonly string[], work: Work, look?: Look): Promise<number>;
}

/** Starts the server. The bare calls go through the same stand-in for FFmpeg, so that it costs both the same. */
export async function startVideoBench({ folder, signal, env }: Context): Promise<VideoBench> {
  const scratch = await mkdtemp(join(folder, 'bench-'));
  const recorder = await recordFFmpeg(scratch, FFMPEG);
  const server = await startServer({ signal, env: { ...env, FFMPEG_PATH: recorder.path } });
  const jobs = new JobClient(server.address, signal);

  const run = async (work: Work, look?: Look): Promise<JobView> => {
    const job = await jobs.run(work.source.path, work.outputs);
    for (const name of Object.keys(work.outputs)) {
      const expected = { height: work.heights[name] as number, seconds: work.seconds, codecs: work.codecs };
      await checkVideo(`the server's ${name}`, jobs.output(job, name), expected);
      await look?.(jobs.output(job, name));
    }
    await jobs.remove(job.id);
    return job;
  };
  return {
    server,
    jobs,
    run,
    async record(work) {
      await recorder.take();
      await run(work);
      return onlyCall(await recorder.take(), Object.keys(work.outputs).join(' and '));
    },
    async bare(call, work, look) {
      const to = await mkdtemp(join(scratch, 'bare-'));
      const args = rebase(call, server.dataDir, { source: work.source.path, folder: to });
      const seconds = await timed(recorder.path, args, signal);
      const [height] = Object.values(work.heights);
      const made = args.flatMap((arg) => (arg.includes(to) ? [arg.slice(arg.indexOf(to))] : []))[0] ?? to;
      const expected = { height: height as number, seconds: work.seconds, codecs: work.codecs };
      await checkVideo('the bare result', made, expected);
      await look?.(made);
      await rm(to, { recursive: true });
      return seconds;
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

/** Wall time of a job's work, each run by `run`. */
export async function jobSeconds(bench: VideoBench, work: Work): Promise<number> {
  return workSeconds(await bench.run(work));
}

/** `transcode` to MP4 of so many lines. */
export const rung = (height: number): Record<string, unknown> => ({
  type: 'transcode',
  format: 'mp4',
  height,
});
