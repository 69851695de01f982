// Cached images: what a rendition by URL costs beside a bare Fastify file answer, and a 304 beside a bare JSON route.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseUrlKeys, signedPath } from '../../src/lib/signed-url.ts';
import { call } from '../call.ts';
import { fire } from '../cannon.ts';
import type { Hits } from '../cannon.ts';
import { check, checkEqual } from '../check.ts';
import { startFloor } from '../floors/floor-process.ts';
import { digits } from '../format.ts';
import { makePhoto, PHONE_PHOTO, SMALL_PHOTO } from '../media.ts';
import type { PhotoShape } from '../media.ts';
import { byRound } from '../report/chart.ts';
import { figure, interleave } from '../scenario.ts';
import type { Pace, Scenario } from '../scenario.ts';
import { startServer } from '../server-process.ts';
import { median, ratios } from '../statistics.ts';

export interface ImageCacheSettings extends Pace {
  readonly connections: number;
  readonly photo: PhotoShape;
  /** Of the renditions, in pixels. */
  readonly width: number;
  /** How many of the simultaneous first requests may do the work. */
  readonly works?: number;
}

/** Requests for a rendition that nobody has yet. */
const SIMULTANEOUS = 100;

export const imageCache: Scenario<ImageCacheSettings> = {
  name: 'image-cache',
  title: 'Cached images by URL, against a bare Fastify file answer; 304, against a bare JSON route',
  full: { rounds: 7, seconds: 3, connections: 16, photo: PHONE_PHOTO, width: 640 },
  quick: { rounds: 1, seconds: 0.15, connections: 2, photo: SMALL_PHOTO, width: 320 },
  async run({ rounds, seconds, connections, photo: shape, width, works = 1 }, context) {
    const { folder, signal, progress } = context;
    progress.step('making the photo');
    const photo = await makePhoto(folder, shape);
    const URL_KEYS = `load:${'5a'.repeat(32)}`;
    const [key] = parseUrlKeys(URL_KEYS);
    await using server = await startServer({ signal, env: { ...context.env, URL_KEYS } });
    const upload = await call(`${server.address}/v1/uploads`, signal, {
      method: 'POST',
      body: await readFile(photo.path),
    });
    const { source } = (await upload.json()) as { source: string };
    const options = new Map([['width', String(width)]]);
    const url = server.address + signedPath({ options, source }, { key });

    progress.step(`${SIMULTANEOUS} requests for what is not there yet`);
    const firsts = await Promise.all(Array.from({ length: SIMULTANEOUS }, () => call(url, signal)));
    const bodies = await Promise.all(firsts.map(async (answer) => Buffer.from(await answer.arrayBuffer())));
    const worked = firsts.filter((answer) => answer.headers.get('cache-status')?.endsWith('stored') === true);
    checkEqual('how many of the first requests did the work', worked.length, works);
    const [rendition] = bodies;
    check(
      rendition !== undefined && bodies.every((body) => body.equals(rendition)),
      'the first answers differ',
    );
    const etag = firsts[0]?.headers.get('etag') ?? '';

    const file = join(folder, 'rendition.jpg');
    const json = join(folder, 'answer.json');
    await writeFile(file, rendition);
    await writeFile(json, JSON.stringify({ ok: true }));
    await using fileRoute = await startFloor(new URL('../floors/file-route.ts', import.meta.url), {
      args: [String(server.processes), file, 'image/jpeg'],
      signal,
    });
    await using jsonRoute = await startFloor(new URL('../floors/json-route.ts', import.meta.url), {
      args: [String(server.processes), json],
      signal,
    });

    // Bodies come as text; that all of it came, its length says.
    const { length } = rendition.toString();
    const whole = { connections, seconds, signal, verifyBody: (body: string) => body.length === length };
    const contenders = {
      file: (): Promise<Hits> => fire({ ...whole, url: `${String(fileRoute.hello)}/file` }),
      hit: (): Promise<Hits> => fire({ ...whole, url }),
      json: (): Promise<Hits> =>
        fire({ connections, seconds, signal, url: `${String(jsonRoute.hello)}/v1/jobs/any` }),
      notModified: (): Promise<Hits> =>
        fire({ connections, seconds, signal, url, headers: { 'if-none-match': etag }, status: 304 }),
    };
    progress.step('warming up');
    for (const warm of Object.values(contenders)) await warm();
    const measured = await interleave(rounds, context, contenders);
    await server.stop();

    const rate = (hits: readonly Hits[]): number[] => hits.map(({ perSecond }) => perSecond);
    const many = (hits: readonly Hits[]): string => `${digits(median(rate(hits)))} answers/s`;
    return {
      figures: [
        figure('cached image', ratios(rate(measured.hit), rate(measured.file)), {
          target: { op: '≥', value: 0.6 },
          measured: many(measured.hit),
          floor: `${many(measured.file)} of the same bytes by a bare Fastify`,
        }),
        figure('image not modified', ratios(rate(measured.notModified), rate(measured.json)), {
          target: { op: '≥', value: 0.7 },
          measured: many(measured.notModified),
          floor: `${many(measured.json)} by a bare JSON route`,
        }),
      ],
      charts: [
        byRound('Answers per second', 'answers/s', {
          'bare file': rate(measured.file),
          'cached image': rate(measured.hit),
          'bare JSON': rate(measured.json),
          '304': rate(measured.notModified),
        }),
      ],
      notes: [
        `Source: ${photo.description}. The rendition has ${rendition.length} bytes. ${connections} connections, ${server.processes} processes each for the server and for the bare routes. The load generator runs on the same cores.`,
        `${SIMULTANEOUS} simultaneous requests for a rendition that was not there did the work once.`,
      ],
    };
  },
};
