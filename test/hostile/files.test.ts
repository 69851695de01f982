// Hostile files through every upload route: no 5xx, no dead process, nothing kept, memory flat.

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { call } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { complaintsAbout, decodePicture, probeFilm } from '../support/inspect.ts';
import { finishedJob, jobIn } from '../support/jobs.ts';
import { encodersOf, forksOf, HAS_PROC, treeRss } from '../support/processes.ts';
import { expectCleanProblem, expectProblem } from '../support/problem-check.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';
import { blobsOf } from '../support/stored.ts';
import { FOLDER_SAMPLES, OWN_SAMPLES } from './samples.ts';
import type { Fate, Sample } from './samples.ts';
import { UPLOAD_ROUTES } from './upload-routes.ts';
import type { UploadRoute } from './upload-routes.ts';

/** An answer must come, and a job must end, within so many milliseconds each; far more than any of them needs. */
const ANSWER_MS = 10_000;
const JOB_MS = 30_000;
const MOST_GROWTH_BYTES = 150 * 1024 * 1024;

describe.concurrent('hostile files', () => {
  let folder: string;
  let program: Program;
  let forks: number[];
  const published = new Set<string>();
  const made = new Map<Sample, Promise<Buffer>>();
  /** Some are a hundred megabytes that are packed: each is made once. */
  const bytesOf = (sample: Sample): Promise<Buffer> =>
    made.getOrInsertComputed(sample, async () => sample.bytes());

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mediamill-hostile-'));
    program = await startProgram({ VIDEO_TIMEOUT_SECONDS: '20', VIDEO_SLOTS: '2', VIDEO_STREAMS: '8' });
    forks = HAS_PROC ? forksOf(program.pid) : [];
  });
  afterAll(async () => {
    await program?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  /** The result must be whole, and nothing but media. */
  const expectWhole = async (mediaType: string, bytes: Buffer): Promise<void> => {
    expect(bytes.includes('<script')).toBe(false);
    if (mediaType.startsWith('image/')) {
      await decodePicture(bytes);
      return;
    }
    const path = join(folder, crypto.randomUUID());
    await writeFile(path, bytes);
    const film = await probeFilm(path);
    expect(film.video?.height).toBeGreaterThan(0);
    expect(film.seconds).toBeGreaterThan(0);
    expect(await complaintsAbout(path)).toBe('');
    await rm(path);
  };

  const expectEnd = async (job: JobView, sample: Sample, fate: Fate): Promise<void> => {
    if (job.status === 'failed') {
      expect(job.problem, JSON.stringify(job)).not.toBeNull();
      expectCleanProblem(job.problem!, program.dataDir);
      expect(fate).toContain(job.problem!.code);
      expect(job.problem!.status).toBeLessThan(500);
      return;
    }
    expect(job.status).toBe('succeeded');
    expect(fate, `made of it: ${JSON.stringify(job)}`).toContain('made');
    published.add(job.id);
    if (sample.isCutOff === true) expect(job.warnings, JSON.stringify(job)).not.toEqual([]);
    for (const { url, mediaType, bytes } of job.outputs) {
      const answer = await call(program.address, url!);
      expect(answer.status).toBe(200);
      expect(answer.body.length).toBe(bytes);
      await expectWhole(mediaType!, answer.body);
    }
  };

  const tryRoute = async (sample: Sample, route: UploadRoute): Promise<void> => {
    const fate = sample[route.lane];
    const begun = performance.now();
    const answer = await route.send(program.address, await bytesOf(sample));
    expect(performance.now() - begun).toBeLessThan(ANSWER_MS);
    expect(answer.status, answer.body.toString().slice(0, 1000)).toBeLessThan(500);
    if (answer.status >= 400) {
      const { code } = expectProblem(answer);
      expect(fate).toContain(code);
    } else if (answer.status === 202) {
      await expectEnd(await finishedJob(program.address, jobIn(answer).id, JOB_MS), sample, fate);
    } else {
      expect(answer.status).toBe(200);
      expect(fate).toContain('made');
      await expectWhole(answer.headers['content-type'] ?? '', answer.body);
    }
  };

  describe.each([
    ['made here', OWN_SAMPLES],
    ['of the sample folder', FOLDER_SAMPLES],
  ] as const)('%s', (_where, samples) => {
    it.skipIf(samples.length === 0)('are there', () => expect(samples.length).toBeGreaterThan(0));
    it.each(samples.map((sample) => [sample.name, sample] as const))(
      '%s',
      async (_name, sample) => {
        for (const route of routesFor(sample)) {
          try {
            await tryRoute(sample, route);
          } catch (error) {
            (error as Error).message = `${route.name}: ${(error as Error).message}`;
            throw error;
          }
        }
      },
      120_000,
    );
  });

  describe('afterwards', { concurrent: false }, () => {
    it.skipIf(!HAS_PROC)(
      'memory stays flat when they come again',
      async () => {
        const samples = [...OWN_SAMPLES, ...FOLDER_SAMPLES];
        const again = async (): Promise<number> => {
          for (const sample of samples) {
            const answers = await Promise.all(
              UPLOAD_ROUTES.slice(0, 2).map(async (route) =>
                route.send(program.address, await bytesOf(sample)),
              ),
            );
            for (const { status } of answers) expect(status).toBeLessThan(500);
          }
          return treeRss(program.pid);
        };
        const before = await again();
        expect((await again()) - before).toBeLessThan(MOST_GROWTH_BYTES);
      },
      120_000,
    );

    it.skipIf(!HAS_PROC)('the same processes serve as before', async () => {
      expect(forksOf(program.pid)).toEqual(forks);
      expect(program.log.filter(({ level }) => level >= 50)).toEqual([]);
      expect((await call(program.address, '/readyz')).status).toBe(200);
    });

    it('nothing is kept but the results', async () => {
      await eventually('no FFmpeg at work', () => !HAS_PROC || encodersOf(program.dataDir).length === 0);
      const sources = (): Promise<string[]> => blobsOf(program.dataDir, 'sources/');
      await eventually('no source is kept', async () => (await sources()).length === 0);
      const kept = await blobsOf(program.dataDir, 'results/');
      expect(kept.filter((key) => ![...published].some((id) => key.includes(id)))).toEqual([]);
      const unfinished = await readdir(join(program.dataDir, 'store/work'), {
        recursive: true,
        withFileTypes: true,
      });
      expect(unfinished.filter((entry) => entry.isFile())).toEqual([]);
    });
  });
});

const VIDEO_ROUTES = UPLOAD_ROUTES.filter(({ lane }) => lane === 'video');

/** All, but of those that are much alike each goes through one of the video routes, the next through the next. */
function routesFor({ turn }: Sample): readonly UploadRoute[] {
  if (turn === undefined) return UPLOAD_ROUTES;
  const own = VIDEO_ROUTES[turn % VIDEO_ROUTES.length];
  return UPLOAD_ROUTES.filter((route) => route.lane === 'image' || route === own);
}
