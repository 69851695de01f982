// A chunk as data, for another machine: what to plan anew there, and what it must come to. No option of FFmpeg travels.

import { hash } from 'node:crypto';
import { z } from 'zod';
import { planOutputs } from '../video.ts';
import type { VideoOutput } from '../video.ts';
import type { Source } from '../video-operation.ts';
import { analysisKey } from './analysis.ts';
import type { Analysis, FindingOf, Findings } from './analysis.ts';
import { agreeOnChunks } from './chunk-plan.ts';
import { planBatches } from './chunk-runs.ts';
import type { Batch } from './chunk-runs.ts';

const key = z.string().regex(/^[0-9a-f]{64}$/);
const about = <const Kind extends string, Value extends z.ZodType>(kind: Kind, value: Value) =>
  z.strictObject({ kind: z.literal(kind), key, value });

/** The findings that pictures in chunks depend on. */
const findingSchema = z.discriminatedUnion('kind', [
  about('interlacing', z.strictObject({ interlaced: z.boolean() })),
  about(
    'quality',
    z.strictObject({
      crf: z.int().min(0).max(63),
      measure: z.enum(['ssim', 'vmaf']),
      reached: z.number(),
      tries: z.int().min(0).max(100),
    }),
  ),
]);

export const chunkTaskSchema = z.strictObject({
  /** Names of the job's outputs whose pictures are in the chunk, in the order of the encode. */
  outputs: z.array(z.string().min(1).max(200)).min(1).max(200),
  /** As of the source. */
  mayCopy: z.boolean(),
  /** Frames of the whole source, as they were counted. */
  frames: z.int().min(1),
  /** Number of the chunk. */
  index: z.int().min(0).max(10_000),
  /** On the shelf, of each output. They are hashes of all that makes the bytes: who comes to others must not encode. */
  names: z
    .array(z.string().regex(/^[0-9a-f]{24}-\d{1,5}-\d{1,3}\.mp4$/))
    .min(1)
    .max(200),
  findings: z.array(findingSchema).max(400),
});
export type ChunkTask = z.output<typeof chunkTaskSchema>;
type Finding = z.output<typeof findingSchema>;

const keyOf = (analysis: string): string => hash('sha256', analysis);

/** What of the findings a chunk needs. */
export function findingsFor({ all }: Findings): Finding[] {
  return [...(all ?? [])].flatMap(([analysis, value]) => {
    const { kind } = JSON.parse(analysis) as { kind: string };
    const found = findingSchema.safeParse({ kind, key: keyOf(analysis), value });
    return found.success ? [found.data] : [];
  });
}

/** The batch that a task is of, planned from the job's own outputs; null where none comes to the same members. */
export function batchOf(
  task: ChunkTask,
  outputs: Readonly<Record<string, VideoOutput>>,
  source: Source,
): Batch | null {
  const wanted = task.outputs.flatMap((name) => {
    const output = Object.hasOwn(outputs, name) ? outputs[name] : undefined;
    return output === undefined ? [] : [[name, output] as const];
  });
  const found = new Map<string, unknown>(task.findings.map(({ key: hashed, value }) => [hashed, value]));
  const findings: Findings = {
    get: <Kind extends Analysis['kind']>(analysis: Analysis & { kind: Kind }) =>
      found.get(keyOf(analysisKey(analysis))) as FindingOf[Kind] | undefined,
  };
  const same: Source = {
    ...source,
    findings,
    mayCopy: task.mayCopy,
    mayChunk: true,
    sharesChunks: true,
    // A picture that hardware encodes is never cut: it was planned without.
    hardware: new Set(),
  };
  const parts = agreeOnChunks(planOutputs(Object.fromEntries(wanted), same), same);
  const [batch, ...others] = planBatches(parts, same);
  const isSame = others.length === 0 && batch?.members.length === task.outputs.length;
  return isSame && task.names.length === task.outputs.length ? batch : null;
}
