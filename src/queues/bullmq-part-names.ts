// How parts of jobs are called in BullMQ, and what they carry. A queue for each kind: machines only see what they can do.

import { z } from 'zod';
import type { Job } from '../jobs/job.ts';
import { isFinished } from '../jobs/job.ts';

export interface PartPlace {
  /** Of all keys of the fleet, e.g. `{mediamill}:`; the braces keep them in one slot of a Redis Cluster. */
  readonly prefix: string;
}

/** Of BullMQ's keys. */
export const bullPrefix = ({ prefix }: PartPlace): string => `${prefix}bull`;

/** Where parts wait. */
export const partQueue = (kind: string): string => `chunk-${kind}`;

/**
 * Where the jobs stand whose parts wait, as BullMQ's parents. Nobody works on them: one is there for as long as its
 * parts are wanted.
 */
export const parentQueue = (kind: string): string => `shared-${kind}`;

/** BullMQ's id of a part: the same part is never there twice. */
export const partId = (jobId: string, name: string): string => `${jobId}.${name}`;

/** BullMQ's key of a job of a queue. */
export const bullKey = (place: PartPlace, queue: string, id: string): string =>
  `${bullPrefix(place)}:${queue}:${id}`;

/** There while a machine takes parts of this kind. */
export const handsKey = ({ prefix }: PartPlace, kind: string): string => `${prefix}hands:${kind}`;

/** The name of a machine's places for parts. */
export const PART_SLOTS = 'chunk';

/** What a part carries through Redis. */
export const partSchema = z.strictObject({
  job: z.string().min(1).max(200),
  name: z.string().regex(/^[A-Za-z0-9._-]{1,200}$/),
  task: z.unknown(),
});
export type PartData = z.output<typeof partSchema>;

/** Nobody wants parts of it any more. */
export function isOver(job: Job | undefined): boolean {
  return job === undefined || isFinished(job) || job.cancelRequested;
}

/** Why a part failed, when nobody could do it. */
export const NO_HELP = 'no_help';
