// Images: what the server adds to sharp itself, in CPU time and in throughput, for raw bodies and for forms.

import { readFile } from 'node:fs/promises';
import { threadPoolSize } from '../../src/config.ts';
import { fire } from '../cannon.ts';
import { check } from '../check.ts';
import { startFloor } from '../floors/floor-process.ts';
import type { SharpLoopHello, SharpLoopRan, SharpLoopRun } from '../floors/sharp-loop.ts';
import { digits, ms } from '../format.ts';
import { makePhoto, PHONE_PHOTO, SMALL_PHOTO } from '../media.ts';
import { cpuSeconds, readTree } from '../process-tree.ts';
import { checkRendition, examineRendition, expectedRendition, imageCall } from '../rendition.ts';
import type { PhotoShape } from '../media.ts';
import type { Expected } from '../rendition.ts';
import { byRound } from '../report/chart.ts';
import { figure, interleave } from '../scenario.ts';
import type { Pace, Scenario } from '../scenario.ts';
import { startServer } from '../server-process.ts';
import { median, percentile, ratios } from '../statistics.ts';

export interface ImageSettings extends Pace {
  readonly photo: PhotoShape;
  /** Pixels asked for. */
  readonly width: number;
  /** For each image thread. */
  readonly connections: number;
  /** What must come; by default what follows from the width. */
  readonly expected?: Partial<Expected>;
}

interface Measured {
  readonly perSecond: number;
  /** CPU seconds of one image. */
  readonly cpu: number;
  readonly latencies: readonly number[];
}

export const image: Scenario<ImageSettings> = {
  name: 'image',
  title: 'Images, against the same sharp steps in a bare loop',
  full: { rounds: 7, seconds: 4, photo: PHONE_PHOTO, width: 320, connections: 4 },
  quick: { rounds: 1, seconds: 0.2, photo: SMALL_PHOTO, width: 320, connections: 1 },
  async run(settings, context) {
    const { signal, progress } = context;
    const { width, seconds } = settings;
    progress.step('making the photo');
    const photo = await makePhoto(context.folder, settings.photo);
    const expected = { ...expectedRendition(photo, width), ...settings.expected };
    await using server = await startServer({ signal, env: context.env });
    const threads = server.processes * server.imageThreads;
    await using loop = await startFloor(new URL('../floors/sharp-loop.ts', import.meta.url), {
      args: [photo.path, String(width), String(threads)],
      env: { UV_THREADPOOL_SIZE: String(threadPoolSize({ IMAGE_THREADS: threads })) },
      signal,
    });
    const rendition = await checkRendition(server.address, photo, width, expected, signal);
    const { rendition: bare } = loop.hello as SharpLoopHello;
    // The proof that both do the same work: sharp's output is the same for the same steps.
    check(
      rendition.equals(bare),
      `the bare loop makes another picture (${bare.length} bytes) than the server (${rendition.length}): it is no floor`,
    );

    const connections = threads * settings.connections;
    const body = await readFile(photo.path);
    const calls = {
      raw: imageCall(server.address, photo, width, body),
      form: imageCall(server.address, photo, width, 'form'),
    };
    const examine = examineRendition(expected, rendition.length);
    const shoot = (kind: keyof typeof calls, amount: number) =>
      fire({ ...calls[kind], connections, amount, examine, signal });

    progress.step('warming up');
    await loop.ask({ seconds: seconds / 2 } satisfies SharpLoopRun);
    await shoot('form', connections);
    const warm = await shoot('raw', Math.max(connections * 2, Math.round(20 * seconds)));
    // By number and not by time, so that each image begun is also counted. As many for every connection.
    const amount = Math.max(1, Math.round((warm.perSecond * seconds) / connections)) * connections;

    const posting = (kind: keyof typeof calls) => async (): Promise<Measured> => {
      const before = cpuSeconds(await readTree(server.pid));
      const hits = await shoot(kind, amount);
      const cpu = cpuSeconds(await readTree(server.pid)) - before;
      return { ...hits, cpu: cpu / hits.answers };
    };
    const rounds = await interleave(settings.rounds, context, {
      loop: async (): Promise<Measured> => {
        const before = cpuSeconds(await readTree(loop.pid));
        const ran = (await loop.ask({ seconds } satisfies SharpLoopRun)) as SharpLoopRan;
        const cpu = cpuSeconds(await readTree(loop.pid)) - before;
        return { perSecond: ran.images / ran.seconds, cpu: cpu / ran.images, latencies: [] };
      },
      raw: posting('raw'),
      form: posting('form'),
    });
    await checkRendition(server.address, photo, width, expected, signal);
    await server.stop();

    const cpu = { loop: costs(rounds.loop), raw: costs(rounds.raw), form: costs(rounds.form) };
    const rate = { loop: rates(rounds.loop), raw: rates(rounds.raw), form: rates(rounds.form) };
    const each = (values: readonly number[]): string => `${ms(median(values))} of CPU per image`;
    const many = (values: readonly number[]): string => `${digits(median(values))} images/s`;
    const loops = `${threads} bare sharp loops`;
    const ticks = ['50', '75', '90', '95', '99', '100'];
    return {
      figures: [
        figure('image CPU cost', ratios(cpu.raw, cpu.loop), {
          target: { op: '≤', value: 1.1 },
          measured: each(cpu.raw),
          floor: `${each(cpu.loop)} in ${loops}`,
        }),
        figure('image throughput', ratios(rate.raw, rate.loop), {
          target: { op: '≥', value: 0.88 },
          measured: many(rate.raw),
          floor: `${many(rate.loop)} in ${loops}`,
        }),
        figure('image CPU cost, as a form', ratios(cpu.form, cpu.loop), {
          measured: each(cpu.form),
          floor: each(cpu.loop),
        }),
        figure('image throughput, as a form', ratios(rate.form, rate.loop), {
          measured: many(rate.form),
          floor: many(rate.loop),
        }),
      ],
      charts: [
        byRound('CPU time of one image', 'ms', {
          'bare loop': inMs(cpu.loop),
          'raw body': inMs(cpu.raw),
          form: inMs(cpu.form),
        }),
        byRound('Images per second', 'images/s', {
          'bare loop': rate.loop,
          'raw body': rate.raw,
          form: rate.form,
        }),
        {
          title: `Latency with ${connections} connections`,
          x: { label: 'percentile', ticks },
          y: { label: 'ms' },
          series: (['raw', 'form'] as const).map((kind) => {
            const all = rounds[kind].flatMap(({ latencies }) => latencies);
            return {
              name: kind,
              points: ticks.map((tick, i): [number, number] => [i, percentile(all, Number(tick))]),
            };
          }),
        },
      ],
      notes: [
        `Source: ${photo.description}. Asked for: ?width=${width}, which gives ${expected.width} × ${expected.height}, ${rendition.length} bytes, byte for byte what the bare loop makes.`,
        `${server.processes} processes with ${server.imageThreads} image thread(s); ${connections} connections; ${amount} images a round. CPU is that of the whole process tree without the load generator, which runs on the same cores.`,
      ],
    };
  },
};

const costs = (rounds: readonly Measured[]): number[] => rounds.map(({ cpu }) => cpu);
const rates = (rounds: readonly Measured[]): number[] => rounds.map(({ perSecond }) => perSecond);
const inMs = (seconds: readonly number[]): number[] => seconds.map((value) => value * 1000);
