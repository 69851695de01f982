// Isolation: people who wait for an image must not feel that films are being encoded on the same cores.

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fire } from '../cannon.ts';
import { check, checkEqual } from '../check.ts';
import { digits } from '../format.ts';
import { JobClient } from '../job-client.ts';
import { FFMPEG, makeClip, makePhoto, PHONE_PHOTO, SMALL_PHOTO } from '../media.ts';
import type { PhotoShape } from '../media.ts';
import { readTree } from '../process-tree.ts';
import { checkRendition, examineRendition, expectedRendition, imageCall } from '../rendition.ts';
import { byRound } from '../report/chart.ts';
import { figure, interleave } from '../scenario.ts';
import type { Pace, Scenario } from '../scenario.ts';
import { startServer } from '../server-process.ts';
import { median, percentile, ratios } from '../statistics.ts';

export interface IsolationSettings extends Pace {
  readonly photo: PhotoShape;
  /** In each phase: by number and not by time, so that p99 is always of as many. */
  readonly images: number;
  readonly connections: number;
  /** Pixels. */
  readonly width: number;
  /** Long enough that its encode outlasts a phase. */
  readonly clipSeconds: number;
  /** Lines of the clip. */
  readonly from: number;
}

const PATIENCE_MS = 30_000;
/** As the system tells it. */
const ENCODER = basename(FFMPEG).slice(0, 15);

export const isolation: Scenario<IsolationSettings> = {
  name: 'isolation',
  title: 'Images while every video slot is busy, against images alone',
  full: {
    rounds: 5,
    seconds: 0,
    photo: PHONE_PHOTO,
    images: 400,
    connections: 1,
    width: 320,
    clipSeconds: 180,
    from: 1080,
  },
  quick: {
    rounds: 1,
    seconds: 0,
    photo: SMALL_PHOTO,
    images: 5,
    connections: 1,
    width: 320,
    clipSeconds: 600,
    from: 180,
  },
  async run({ rounds, photo: shape, images: count, connections, width, clipSeconds, from }, context) {
    const { folder, signal, progress, env } = context;
    progress.step('making the media');
    const photo = await makePhoto(folder, shape);
    const clip = await makeClip(folder, { seconds: clipSeconds, height: from }, signal);
    // The clip is long so that it outlasts a phase, not to be run as a film: those have places of their own.
    await using server = await startServer({ signal, env: { FILM_SECONDS: '604800', ...env } });
    const jobs = new JobClient(server.address, signal);
    const slots = server.videoSlots;

    const expected = expectedRendition(photo, width);
    const rendition = await checkRendition(server.address, photo, width, expected, signal);
    const call = imageCall(server.address, photo, width, await readFile(photo.path));
    const images = async (amount: number): Promise<readonly number[]> => {
      const examine = examineRendition(expected, rendition.length);
      return (await fire({ ...call, connections, amount, examine, signal })).latencies;
    };
    /** The job's state says that it runs; its FFmpeg comes a moment later. */
    const untilEncoding = async (count: number): Promise<void> => {
      const until = performance.now() + PATIENCE_MS;
      for (let encoders = -1; encoders !== count; await delay(20, undefined, { signal })) {
        check(performance.now() < until, `${encoders} FFmpeg run, not ${count}`);
        encoders = (await readTree(server.pid)).filter(({ name }) => name === ENCODER).length;
      }
    };

    progress.step('warming up');
    await images(Math.ceil(count / 4));
    const { idle, busy } = await interleave(rounds, context, {
      async idle() {
        await untilEncoding(0);
        return images(count);
      },
      async busy() {
        const output = { video: { type: 'transcode', format: 'mp4', encode: 'always', height: from } };
        const submitted = [];
        for (let i = 0; i < slots; i++) submitted.push(await jobs.submit(clip.path, output));
        await untilEncoding(slots);
        const latencies = await images(count);
        checkEqual('videos that were encoded until the end of a phase', await jobs.running(), slots);
        for (const { id } of submitted) await jobs.remove(id);
        return latencies;
      },
    });
    await untilEncoding(0);
    await server.stop();

    const at = (percent: number, all: readonly (readonly number[])[]): number[] =>
      all.map((latencies) => percentile(latencies, percent));
    const p99 = { idle: at(99, idle), busy: at(99, busy) };
    const p50 = { idle: at(50, idle), busy: at(50, busy) };
    const ticks = ['50', '75', '90', '95', '99', '99.9', '100'];
    return {
      figures: [
        figure('isolation, p99', ratios(p99.busy, p99.idle), {
          target: { op: '≤', value: 1.25 },
          measured: `p99 ${digits(median(p99.busy))} ms beside ${slots} encode(s)`,
          floor: `p99 ${digits(median(p99.idle))} ms without`,
        }),
        figure('isolation, p50', ratios(p50.busy, p50.idle), {
          measured: `p50 ${digits(median(p50.busy))} ms beside ${slots} encode(s)`,
          floor: `p50 ${digits(median(p50.idle))} ms without`,
        }),
      ],
      charts: [
        byRound('p99 of images', 'ms', { 'videos idle': p99.idle, 'videos busy': p99.busy }),
        {
          title: 'Latency of images, all rounds',
          x: { label: 'percentile', ticks },
          y: { label: 'ms' },
          series: Object.entries({ 'videos idle': idle, 'videos busy': busy }).map(([name, all]) => ({
            name,
            points: ticks.map((tick, i): [number, number] => [i, percentile(all.flat(), Number(tick))]),
          })),
        },
      ],
      notes: [
        `Images: ${photo.description}, to ${width} px, ${connections} connection(s), one after the other; ${idle.flat().length} without and ${busy.flat().length} beside videos.`,
        `Videos: ${clip.description}, encoded at its own size in every one of ${slots} slot(s).`,
      ],
    };
  },
};
