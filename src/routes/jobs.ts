// /v1/jobs: make a job from a recipe, look at it, wait for it, cancel it, remove it.

import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { minutesOf } from '../access/accounts.ts';
import type { Caller } from '../access/caller.ts';
import type { BlobStore, JobQueue } from '../contracts.ts';
import { JOB_STATUSES, isFinished } from '../jobs/job.ts';
import type { Job } from '../jobs/job.ts';
import type { JobView } from '../jobs/job-view.ts';
import { jobViewSchema, viewJob } from '../jobs/job-view.ts';
import type { Presets } from '../jobs/presets.ts';
import { removeJob } from '../jobs/runner.ts';
import type { RemoveOptions } from '../jobs/runner.ts';
import { isId } from '../lib/id.ts';
import { parsePrefer } from '../lib/prefer.ts';
import { mediaBody } from '../plugins/media-body.ts';
import type { MediaBodyOptions } from '../plugins/media-body.ts';
import { Problem } from '../problems.ts';
import { acceptJob, admitJob, madeJob } from './accept-job.ts';
import type { JobIntake } from './accept-job.ts';
import { acceptSource } from './accept-source.ts';
import { ORDER_FIELDS, orderFrom, orderFromJson, orderQuery } from './order.ts';
import type { OrderQuery } from './order.ts';

export interface JobRoutesOptions {
  readonly queue: JobQueue;
  readonly store: BlobStore;
  readonly jobs: JobIntake;
  readonly body: MediaBodyOptions;
  readonly presets: Presets;
  readonly aftermath?: RemoveOptions['aftermath'];
  /** Aborted when the process begins to leave: long polls are answered then. */
  readonly leaving: AbortSignal;
}

const MAX_WAIT_SECONDS = 60;

const idParams = z.object({ id: z.string().describe('The id of a job') });
const waitQuery = z.strictObject({
  wait: z.coerce
    .number()
    .int()
    .min(0)
    .max(MAX_WAIT_SECONDS)
    .optional()
    .describe('Answer when the job is finished, or after so many seconds'),
});
const listQuery = z.strictObject({
  status: z.enum(JOB_STATUSES).optional().describe('Only jobs that are so'),
  limit: z.coerce.number().int().min(1).max(100).default(20).describe('Most of a page'),
  after: z.string().min(1).max(200).optional().describe('`next` of the page before'),
});

export const jobRoutes: FastifyPluginAsyncZod<JobRoutesOptions> = async (app, options) => {
  const { queue, store, leaving } = options;
  // The queue hands out the very same object until a job changes, and polls ask far more often than that.
  const rendered = new WeakMap<Job, string>();
  const render = (job: Job): string => {
    const known = rendered.get(job);
    if (known !== undefined) return known;
    const text = JSON.stringify(viewJob(job));
    rendered.set(job, text);
    return text;
  };

  await app.register(async (scope) => {
    await scope.register(mediaBody, options.body);
    scope.addContentTypeParser(
      'application/json',
      { parseAs: 'string' },
      scope.getDefaultJsonParser('error', 'error'),
    );
    scope.withTypeProvider<never>().post(
      '/v1/jobs',
      {
        config: { scope: 'jobs:write', idempotent: { made: madeJob(queue) } },
        schema: {
          summary: 'Make several outputs of one file',
          description:
            'multipart/form-data with `recipe` (JSON) or `preset` (a name), optionally `metadata` (a JSON object of strings) and `webhook` (an https address), and then `file`. The raw body works too, with `?preset=`. Or application/json, `{ "source": { "upload": "…" } | { "url": "https://…" }, "recipe": {…} | "preset": "…", "metadata"?, "priority"?, "webhook"? }`: an upload is copied, a URL is fetched by the job.',
          tags: ['jobs'],
          querystring: orderQuery,
          consumes: ['multipart/form-data', 'application/octet-stream', 'application/json'],
          response: { 202: jobViewSchema },
        },
        onRequest: (request: FastifyRequest) => admitJob(request, options.jobs),
      },
      async (request: FastifyRequest, reply) => {
        const query = request.query as OrderQuery;
        if (isJson(request)) {
          const ordered = orderFromJson(request.body, query, options.presets);
          return acceptSource(request, reply, options.jobs, ordered);
        }
        return acceptJob(request, reply, options.jobs, {
          fieldNames: ORDER_FIELDS,
          orderFrom: (fields) => orderFrom(fields, query, options.presets),
        });
      },
    );
  });

  app.get(
    '/v1/jobs',
    {
      config: { scope: 'jobs:read' },
      schema: {
        summary: 'List jobs, newest first',
        tags: ['jobs'],
        querystring: listQuery,
        response: { 200: z.object({ jobs: z.array(jobViewSchema), next: z.string().nullable() }) },
      },
    },
    async (request, reply) => {
      const { items, next } = await queue.list({ ...request.query, tenant: request.caller.tenant });
      return reply.header('cache-control', 'no-store').send({ jobs: items.map(viewJob), next });
    },
  );

  app.get(
    '/v1/jobs/:id',
    {
      config: { scope: 'jobs:read' },
      schema: {
        summary: 'Look at a job',
        tags: ['jobs'],
        params: idParams,
        querystring: waitQuery,
        response: { 200: jobViewSchema },
      },
    },
    async (request, reply) => {
      let job = await find(queue, request.params.id, request.caller);
      const preferred = parsePrefer(request.headers.prefer).wait;
      const seconds = Math.min(request.query.wait ?? preferred ?? 0, MAX_WAIT_SECONDS);
      if (seconds > 0 && !isFinished(job)) {
        const gone = new AbortController();
        reply.raw.once('close', () => gone.abort());
        const given = AbortSignal.any([gone.signal, leaving, AbortSignal.timeout(seconds * 1000)]);
        const waited = await queue.finished(job.id, given);
        if (waited === undefined) throw noSuchJob(job.id);
        job = waited;
      }
      // RFC 7240 §3: what was done, which is less than was asked for past the bound. The address goes before the header.
      if (preferred !== undefined && request.query.wait === undefined)
        void reply.header('preference-applied', `wait=${seconds}`);
      return reply
        .header('cache-control', 'no-store')
        .header('content-type', 'application/json; charset=utf-8')
        .send(render(job) as unknown as JobView);
    },
  );

  app.post(
    '/v1/jobs/:id/cancel',
    {
      config: { scope: 'jobs:write' },
      schema: {
        summary: 'Stop a job',
        description:
          'A waiting job is cancelled at once; a running one as soon as its process has stopped it: follow the job.',
        tags: ['jobs'],
        params: idParams,
        response: { 202: jobViewSchema },
      },
    },
    async (request, reply) => {
      const before = await find(queue, request.params.id, request.caller);
      if (isFinished(before)) throw alreadyFinished(before);
      const job = await queue.cancel(before.id);
      if (job === undefined) throw noSuchJob(before.id);
      if (isFinished(job) && job.status !== 'cancelled') throw alreadyFinished(job);
      return reply.code(202).header('cache-control', 'no-store').send(viewJob(job));
    },
  );

  app.delete(
    '/v1/jobs/:id',
    {
      config: { scope: 'jobs:write' },
      schema: {
        summary: 'Remove a job and its results',
        description:
          'A running job is stopped, and of that no webhook is told: cancel it instead where somebody waits to hear of it. What webhooks are owed for a job that has ended they still get.',
        tags: ['jobs'],
        params: idParams,
        response: { 204: z.void() },
      },
    },
    async (request, reply) => {
      const { id } = await find(queue, request.params.id, request.caller);
      const removed = await removeJob({ queue, store, aftermath: options.aftermath }, id);
      if (removed === undefined) throw noSuchJob(id);
      // It has no end any more that could be charged.
      if (!isFinished(removed)) request.chargeTenantMinutes(minutesOf({ ...removed, status: 'cancelled' }));
      return reply.code(204).send();
    },
  );
};

/** The caller's job of an id that came by URL. Throws `job_not_found`, also for a job of somebody else. */
export async function find(queue: JobQueue, id: string, { tenant }: Pick<Caller, 'tenant'>): Promise<Job> {
  const job = isId(id) ? await queue.get(id) : undefined;
  if (job?.tenant !== tenant) throw noSuchJob(id);
  return job;
}

function isJson({ headers }: FastifyRequest): boolean {
  return /^application\/json\s*(?:;|$)/i.test(headers['content-type'] ?? '');
}

function noSuchJob(id: string): Problem {
  return new Problem(
    'job_not_found',
    `There is no job ${JSON.stringify(id.slice(0, 60))}. It may have expired or been removed.`,
  );
}

function alreadyFinished(job: Job): Problem {
  return new Problem(
    'job_finished',
    `The job has already ${job.status === 'cancelled' ? 'been ' : ''}${job.status}; it cannot be cancelled any more.`,
  );
}
