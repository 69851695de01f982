// Has the engine make all outputs of a clip in one job, and looks at each of them.

import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { VideoEngine } from '../../src/engine-contracts.ts';
import { videoOutputSchema } from '../../src/operations/video.ts';
import { Problem } from '../../src/problems.ts';
import { folderShelf } from '../engines/chunk-fixtures.ts';
import { folder, produce } from '../engines/video-fixtures.ts';
import type { Folder, Made } from '../engines/video-fixtures.ts';
import type { Clip } from './clips.ts';
import { SELF } from './matrix.ts';
import type { Recipe } from './matrix.ts';
import { findings } from './report.ts';
import type { Report } from './report.ts';
import { truthOf } from './truth.ts';
import type { Truth } from './truth.ts';

export interface Cell extends Report {
  readonly output: string;
  /** It was asked for of a source that has no sound, and was refused as it should be. */
  readonly refused: boolean;
}

export interface ClipReport {
  readonly clip: string;
  readonly cells: readonly Cell[];
  /** What is wrong with the job as a whole. */
  readonly faults: readonly string[];
}

export async function runClip(
  videos: VideoEngine,
  clip: Clip,
  recipes: readonly Recipe[],
  onCell: (output: string) => void = () => undefined,
): Promise<ClipReport> {
  await using place = await folder();
  const truth = await truthOf(await clip.path(), clip.mediaType);
  const cells: Cell[] = [];
  const add = (cell: Cell): void => {
    cells.push(cell);
    onCell(cell.output);
  };
  const faults: string[] = [];
  const wanted: { recipe: Recipe; params: Readonly<Record<string, unknown>> }[] = [];
  for (const recipe of recipes) {
    const params = recipe.params(truth);
    const parsed = params === null ? null : videoOutputSchema.safeParse(params);
    if (params === null || parsed === null) continue;
    if (!parsed.success)
      add(faulty(recipe, `is not taken: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`));
    else if (recipe.needs === 'sound' && truth.sound === null)
      add(await refusal(videos, place, truth, recipe, params));
    else wanted.push({ recipe, params });
  }
  const together = wanted.filter(({ recipe }) => recipe.chunked !== true);
  const jobs = [together, ...wanted.filter(({ recipe }) => recipe.chunked === true).map((one) => [one])];
  for (const job of jobs.filter(({ length }) => length > 0)) {
    const error = await tryJob(job);
    if (error === null) continue;
    if (job.length > 1) faults.push(`the job of all outputs failed: ${error}`);
    // Which of them was it?
    for (const one of job) {
      const alone = job.length === 1 ? error : await tryJob([one]);
      if (alone !== null) add(faulty(one.recipe, `fails: ${alone}`));
    }
  }
  return { clip: clip.name, cells, faults };

  /** Null, or why it failed. */
  async function tryJob(job: typeof wanted): Promise<string | null> {
    const made = await make(videos, place, truth, job).catch((error: unknown) => reasonOf(error));
    if (typeof made === 'string') return made;
    for (const warning of made.made.warnings) faults.push(`warns: ${warning}`);
    for (const { recipe, params } of job) {
      const found = findings();
      const output = made.made.files[recipe.name];
      try {
        if (output === undefined) throw new Error('is not there');
        await recipe.check(
          {
            params,
            paths: output.files.map(({ file, path }) => path ?? made.path(recipe.name, file)),
            path: (file) =>
              output.files.find((one) => one.file === file)?.path ?? made.path(recipe.name, file),
            decisions: output.decisions,
            beeps: clip.beeps,
          },
          truth,
          found,
        );
      } catch (error) {
        found.check(false, `cannot be looked at: ${error instanceof Error ? error.stack : String(error)}`);
      }
      add({ output: recipe.name, refused: false, faults: found.faults, figures: found.figures });
    }
    return null;
  }
}

const faulty = ({ name }: Recipe, fault: string): Cell => ({
  output: name,
  refused: false,
  faults: [fault],
  figures: {},
});

function reasonOf(error: unknown): string {
  if (error instanceof Problem) return `${error.code}: ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

interface MadeJob {
  readonly made: Made;
  path(output: string, file: string): string;
}

let jobs = 0;

async function make(
  videos: VideoEngine,
  place: Folder,
  { path, mediaType }: Truth,
  job: readonly { recipe: Recipe; params: Readonly<Record<string, unknown>> }[],
): Promise<MadeJob> {
  const to = place.join(`published-${jobs++}`);
  for (const { recipe } of job) await mkdir(join(to, recipe.name), { recursive: true });
  const outputs = Object.fromEntries(job.map(({ recipe, params }) => [recipe.name, params]));
  const isChunked = job.some(({ recipe }) => recipe.chunked === true);
  const made = await produce(videos, place, path, outputs, {
    mediaType,
    assets: new Map([[SELF, { path, mediaType }]]),
    publish: (output, { file, path: from }) => rename(from, join(to, output, file)),
    ...(isChunked && { chunks: await folderShelf(place.join(`chunks-${jobs}`)) }),
  });
  return { made, path: (output, file) => join(to, output, file) };
}

/** What needs sound is refused where there is none, and says so. */
async function refusal(
  videos: VideoEngine,
  place: Folder,
  truth: Truth,
  recipe: Recipe,
  params: Readonly<Record<string, unknown>>,
): Promise<Cell> {
  const reason = await make(videos, place, truth, [{ recipe, params }]).then(
    () => 'is made, though there is no sound',
    (error: unknown) =>
      error instanceof Problem && error.code === 'stream_missing' ? null : reasonOf(error),
  );
  return {
    output: recipe.name,
    refused: reason === null,
    faults: reason === null ? [] : [reason],
    figures: {},
  };
}
