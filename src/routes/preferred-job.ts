// Images that are answered at once, or become jobs where the client prefers that (RFC 7240, `respond-async`).

import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { demandScope } from '../plugins/auth.ts';
import type { IdempotentRoute } from '../plugins/idempotency.ts';
import { acceptJob, admitJob, madeJob } from './accept-job.ts';
import type { JobIntake } from './accept-job.ts';
import type { ImageIntake } from './image-intake.ts';
import { prefersAsync } from './order.ts';
import type { JobOrder } from './order.ts';

const APPLIED = { 'preference-applied': 'respond-async' };

/** A hook of the plugin, before those of its routes: an Idempotency-Key must not tell its answer to whom this refuses. */
export const demandScopeOfJobs: onRequestAsyncHookHandler = async (request) => {
  if (prefersAsync(request)) demandScope(request.caller, 'jobs:write');
};

/** Only what becomes a job is kept for a second call with the same Idempotency-Key. */
export const idempotentAsJob = ({ queue }: Pick<JobIntake, 'queue'>): IdempotentRoute => ({
  when: prefersAsync,
  made: madeJob(queue, APPLIED),
});

/** Asked before a body is read. */
export async function admitEither(
  request: FastifyRequest,
  { jobs, intake }: { readonly jobs: JobIntake; readonly intake: ImageIntake },
): Promise<void> {
  if (prefersAsync(request)) await admitJob(request, jobs);
  else intake.admit();
}

/** Answers 202 as `acceptJob` does, and that it is what was preferred. */
export function acceptPreferred(
  request: FastifyRequest,
  reply: FastifyReply,
  jobs: JobIntake,
  order: JobOrder,
): Promise<FastifyReply> {
  void reply.headers(APPLIED);
  return acceptJob(request, reply, jobs, { fieldNames: [], orderFrom: () => order });
}
