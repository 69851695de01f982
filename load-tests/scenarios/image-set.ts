// Responsive sets: one request for many renditions, against a request for each of them.

import { readFile } from 'node:fs/promises';
import { call } from '../call.ts';
import { check, checkEqual } from '../check.ts';
import { ms } from '../format.ts';
import { LARGE_PHOTO, makePhoto, SMALL_PHOTO } from '../media.ts';
import type { PhotoShape } from '../media.ts';
import { cpuSeconds, readTree } from '../process-tree.ts';
import { byRound } from '../report/chart.ts';
import { figure, interleave } from '../scenario.ts';
import type { Pace, Scenario } from '../scenario.ts';
import { startServer } from '../server-process.ts';
import { median, ratios } from '../statistics.ts';

export interface ImageSetSettings extends Pace {
  readonly photo: PhotoShape;
  /** Pixels. */
  readonly widths: readonly number[];
  readonly formats: readonly string[];
  /** Sets a round. */
  readonly sets: number;
}

interface Rendition {
  readonly width: number;
  readonly format: string;
}

export const imageSet: Scenario<ImageSetSettings> = {
  name: 'image-set',
  title: 'Six widths in two formats at once, against twelve requests',
  full: {
    rounds: 7,
    seconds: 0,
    photo: LARGE_PHOTO,
    widths: [160, 320, 480, 640, 960, 1280],
    formats: ['webp', 'jpeg'],
    sets: 6,
  },
  quick: { rounds: 1, seconds: 0, photo: SMALL_PHOTO, widths: [80, 160], formats: ['webp', 'jpeg'], sets: 2 },
  async run({ rounds, photo: shape, widths, formats, sets }, context) {
    const { signal, progress } = context;
    progress.step('making the photo');
    const photo = await makePhoto(context.folder, shape);
    const body = await readFile(photo.path);
    await using server = await startServer({ signal, env: context.env });
    const all = widths.flatMap((width) => formats.map((format): Rendition => ({ width, format })));

    const post = async (path: string): Promise<Response> => {
      const answer = await call(server.address + path, signal, {
        method: 'POST',
        headers: { 'content-type': 'image/jpeg' },
        body,
      });
      check(answer.status === 200, `${path} was answered ${answer.status}`);
      return answer;
    };
    const single = async ({ width, format }: Rendition): Promise<void> => {
      const answer = await post(`/v1/images?width=${width}&format=${format}`);
      const bytes = await answer.arrayBuffer();
      const size = answer.headers.get('mediamill-size')?.split('x')[0];
      checkEqual(
        'a rendition',
        [answer.headers.get('content-type'), size, bytes.byteLength > 100],
        [`image/${format}`, String(width), true],
      );
    };
    const set = async (): Promise<void> => {
      const answer = await post(`/v1/images/set?widths=${widths.join(',')}&formats=${formats.join(',')}`);
      const text = Buffer.from(await answer.arrayBuffer()).toString('latin1');
      const types = [...text.matchAll(/^Content-Type: image\/(\w+)\r$/gm)].map(([, type]) => type);
      checkEqual(
        'the parts of a set',
        types,
        all.map(({ format }) => format),
      );
    };
    const costOf = async (work: () => Promise<void>): Promise<number> => {
      const before = cpuSeconds(await readTree(server.pid));
      for (let i = 0; i < sets; i++) await work();
      return (cpuSeconds(await readTree(server.pid)) - before) / sets;
    };
    const singles = async (): Promise<void> => {
      for (const rendition of all) await single(rendition);
    };

    progress.step('warming up');
    // Each call has a connection of its own, and so goes to any of the processes.
    for (let i = 0; i < server.processes; i++) {
      await set();
      await singles();
    }
    const cost = await interleave(rounds, context, {
      singles: () => costOf(singles),
      set: () => costOf(set),
    });
    await server.stop();
    return {
      figures: [
        figure('image set', ratios(cost.set, cost.singles), {
          target: { op: '≤', value: 0.5 },
          measured: `${ms(median(cost.set))} of CPU for ${all.length} renditions at once`,
          floor: `${ms(median(cost.singles))} for ${all.length} requests`,
        }),
      ],
      charts: [
        byRound('CPU time of a set', 'ms', {
          'one request each': cost.singles.map((seconds) => seconds * 1000),
          'one request for all': cost.set.map((seconds) => seconds * 1000),
        }),
      ],
      notes: [
        `Source: ${photo.description}. ${widths.join(', ')} pixels wide, each as ${formats.join(' and ')}; ${sets} sets a round. CPU is that of the whole process tree of the server.`,
      ],
    };
  },
};
