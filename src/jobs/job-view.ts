// A job as clients see it. Fields may be added, never renamed.

import { z } from 'zod';
import { setMarkup } from '../operations/image-set.ts';
import { PROBLEMS } from '../problems.ts';
import type { ProblemCode } from '../problems.ts';
import { isFinished, JOB_STATUSES } from './job.ts';
import type { Job, OutputFile } from './job.ts';

const nullable = <T extends z.ZodType>(schema: T) => schema.nullable();

export const problemSchema = z.object({
  type: z.string().describe('A link to what the code means'),
  code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
  status: z.number().int(),
  title: z.string(),
  detail: z.string(),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
});

export const outputViewSchema = z.object({
  name: z.string(),
  type: z.string().describe('As in the recipe'),
  status: z
    .enum(JOB_STATUSES)
    .describe('`succeeded` as soon as it is finished, also while others of the job are still being made'),
  mediaType: nullable(z.string()),
  bytes: nullable(z.number().int()),
  width: nullable(z.number().int()).describe('Pixels'),
  height: nullable(z.number().int()).describe('Pixels'),
  durationSeconds: nullable(z.number()),
  url: nullable(z.string()).describe(
    'Where its bytes are, once it is finished; a stream can be watched there while it is being made. If the job fails, they are gone',
  ),
  decisions: z.array(z.string()).describe('What was decided for it, and why'),
  files: z
    .array(
      z.object({
        file: z.string(),
        url: z.string(),
        mediaType: z.string(),
        bytes: z.number().int(),
        width: nullable(z.number().int()).describe('Pixels'),
        height: nullable(z.number().int()).describe('Pixels'),
      }),
    )
    .optional()
    .describe(
      'Of an output that is several files: each that one may want; `url` is then that of the one to begin with, or a list of them',
    ),
  srcset: z
    .record(z.string(), z.string())
    .optional()
    .describe('Of an image set: for each format the value of a `srcset` attribute'),
  html: z.string().optional().describe('Of an image set: a `<picture>` that shows it'),
});

export const jobViewSchema = z
  .object({
    id: z.string(),
    status: z.enum(JOB_STATUSES),
    phase: z.enum(['waiting', 'fetching', 'processing', 'done']),
    progress: z.number().min(0).max(1),
    speed: nullable(z.number()).describe('Seconds of media per second'),
    etaSeconds: nullable(z.number()),
    createdAt: z.iso.datetime(),
    startedAt: nullable(z.iso.datetime()),
    finishedAt: nullable(z.iso.datetime()),
    expiresAt: nullable(z.iso.datetime()).describe('When it and its results are removed'),
    attempt: z.number().int(),
    priority: z.number().int(),
    source: z.object({
      name: nullable(z.string()),
      url: nullable(z.string()).describe('Origin and path of where it is fetched from, without its query'),
      mediaType: nullable(z.string()).describe('By its bytes; null until they are here'),
      bytes: nullable(z.number().int()).describe('Null until they are here'),
      width: nullable(z.number().int()),
      height: nullable(z.number().int()),
      durationSeconds: nullable(z.number()),
    }),
    recipe: z
      .object({ outputs: z.record(z.string(), z.looseObject({ type: z.string() })) })
      .describe('What was asked for, with all defaults: the same recipe makes the same again'),
    outputs: z.array(outputViewSchema),
    problem: nullable(problemSchema),
    warnings: z.array(z.string()),
    metadata: z.record(z.string(), z.string()),
    webhook: nullable(z.object({ url: z.string() })).describe(
      'Whom it tells of its end: origin and path, without the query',
    ),
    trace: nullable(z.string()).describe('W3C `traceparent` of the work on it'),
    links: z.object({
      self: z.string(),
      events: z.string(),
      deliveries: z.string(),
      cancel: nullable(z.string()),
    }),
  })
  .meta({ id: 'Job' });

export type JobView = z.output<typeof jobViewSchema>;

/** Where a client finds a job. */
export const jobPath = (id: string): string => `/v1/jobs/${id}`;

/** Where the bytes of an output are, or of one of its files. */
export function outputPath(id: string, name: string, file?: string): string {
  return `${jobPath(id)}/outputs/${name}${file === undefined ? '' : `/${file}`}`;
}

/** The public form of a job: no keys of the store, every next address in it. */
export function viewJob(job: Job): JobView {
  const self = jobPath(job.id);
  const { key: _key, url, ...source } = job.source;
  return {
    id: job.id,
    status: job.status,
    phase: job.phase,
    progress: Math.round(job.progress * 1000) / 1000,
    speed: job.speed,
    etaSeconds: job.etaSeconds,
    createdAt: iso(job.createdAt),
    startedAt: isoOrNull(job.startedAt),
    finishedAt: isoOrNull(job.finishedAt),
    expiresAt: isoOrNull(job.expiresAt),
    attempt: job.attempt,
    priority: job.priority,
    source: {
      ...source,
      url: url === undefined ? null : withoutQuery(url),
      durationSeconds: micros(source.durationSeconds),
    },
    recipe: job.recipe,
    outputs: viewOutputs(job),
    problem: job.problem && {
      type: problemType(job.problem.code),
      ...job.problem,
      errors: job.problem.errors?.slice(),
    },
    warnings: [...job.warnings],
    metadata: { ...job.metadata },
    webhook: job.webhook && { url: withoutQuery(job.webhook.url) },
    trace: job.trace,
    links: {
      self,
      events: `${self}/events`,
      deliveries: `${self}/deliveries`,
      cancel: isFinished(job) ? null : `${self}/cancel`,
    },
  };
}

/** What follows may be a signature or a token. */
export function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** The `type` member of RFC 9457: relative, so that it holds wherever the server stands. */
export const problemType = (code: ProblemCode): string => `/problems#${code}`;

/** The files of an output, as clients see them. */
export function viewFiles(id: string, name: string, files: readonly OutputFile[]) {
  return files.map((each) => {
    const { key: _key, ...file } = each;
    return { ...file, url: outputPath(id, name, file.file) };
  });
}

function viewOutputs(job: Job): JobView['outputs'] {
  return Object.entries(job.recipe.outputs).map(([name, output]) => {
    const ready = job.ready?.[name];
    const result = job.results[name] ?? ready;
    const live = job.live?.[name];
    const urlOf = (file?: string): string => outputPath(job.id, name, file);
    return {
      name,
      type: output.type,
      status: ready === undefined ? job.status : 'succeeded',
      mediaType: result?.mediaType ?? live?.mediaType ?? null,
      bytes: result?.bytes ?? null,
      width: result?.width ?? null,
      height: result?.height ?? null,
      durationSeconds: micros(result?.durationSeconds ?? null),
      url: result || live ? urlOf(result?.main ?? live?.main) : null,
      decisions: result ? [...result.decisions] : [],
      ...(result?.files && {
        files: viewFiles(job.id, name, result.files),
        ...(output.type === 'imageSet' && setMarkup(result.files, output, urlOf)),
      }),
    };
  });
}

/** Sums of lengths have digits that mean nothing. */
const micros = (seconds: number | null): number | null =>
  seconds === null ? null : Math.round(seconds * 1e6) / 1e6;
const iso = (ms: number): string => new Date(ms).toISOString();
const isoOrNull = (ms: number | null): string | null => (ms === null ? null : iso(ms));
