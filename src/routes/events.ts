// /v1/events and /v1/jobs/{id}/events: what happens to jobs, as server-sent events, from any process, resumable.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { Readable } from 'node:stream';
import { z } from 'zod';
import type { JobQueue } from '../contracts.ts';
import { isFinished } from '../jobs/job.ts';
import type { Job } from '../jobs/job.ts';
import { encodeHeartbeat, encodeRetry, SSE_TYPE, withHeartbeats } from '../lib/sse.ts';
import { Problem } from '../problems.ts';
import { clientGone } from './image-intake.ts';
import { jobTexts } from './job-texts.ts';
import type { JobTexts } from './job-texts.ts';
import { find } from './jobs.ts';
import { tellEvents } from './tell-events.ts';

export interface EventRoutesOptions {
  readonly queue: JobQueue;
  /** Streams of this process at once. */
  readonly most: number;
  /** Milliseconds after which a client that takes nothing of what is there is given up. More than between heartbeats. */
  readonly stallMs: number;
  /** Milliseconds. */
  readonly heartbeatMs: number;
  /** Aborted when the process begins to leave: streams end then, and their clients come back to another process. */
  readonly leaving: AbortSignal;
}

/** Between half of it and half as much again: those whose process ended are not to come back all at once. */
const RETRY_MS = 2000;
/** Bytes that are held for a client, beside what the system buffers: it is asked for more when it has taken these. */
const HELD_BYTES = 64 * 1024;

const resumeQuery = z.strictObject({
  lastEventId: z
    .string()
    .regex(/^\d{1,15}$/, 'must be the id of an event')
    .optional()
    .describe('Go on after this event; the header `Last-Event-ID` goes before it'),
});
const FORM =
  'Each event has an `id` and a type: `queued`, `started`, `progress`, `output` (one is finished), `retrying`, `succeeded`, `failed`, `cancelled`, `removed`. Its `data` is JSON: `{ "type", "jobId", "at", "output"?, "job" }`, the job as it is now, or null once it is removed. After `reset` events are missing: look at the jobs anew.';

export const eventRoutes: FastifyPluginAsyncZod<EventRoutesOptions> = async (app, options) => {
  const { queue, most } = options;
  const texts = jobTexts(queue);
  const open = new Set<FastifyReply>();

  const answer = (request: FastifyRequest, reply: FastifyReply, job?: Job): FastifyReply => {
    void reply
      .header('content-type', SSE_TYPE)
      .header('cache-control', 'no-store')
      // nginx would collect some kilobytes of events before it passes them on.
      .header('x-accel-buffering', 'no');
    if (request.method === 'HEAD') return reply.send();
    if (open.size >= most) {
      throw new Problem(
        'overloaded',
        `${open.size} event streams are open already, which is the most that this process holds. Poll, or try again later.`,
        { retryAfter: 10 },
      );
    }
    // Its `close` has been and will not come again: nothing would ever free the place.
    if (reply.raw.closed || request.raw.socket.destroyed) {
      throw new Problem('upload_incomplete', 'The client left before the first event came.');
    }
    open.add(reply);
    reply.raw.once('close', () => open.delete(reply));
    // Heartbeats go through it, so a connection is silent for so long only if its client does not read.
    reply.raw.setTimeout(options.stallMs, () => {
      request.log.info('an event stream was not read any more');
      reply.raw.destroy();
    });
    const frames = streamOf(request, reply, texts, options, job);
    return (
      reply
        // The next request of a client that comes back is to reach a process that stays.
        .header('connection', 'close')
        .send(Readable.from(frames, { objectMode: false, highWaterMark: HELD_BYTES }))
    );
  };

  app.get(
    '/v1/events',
    {
      config: { scope: 'jobs:read', held: true },
      schema: {
        summary: 'Follow all jobs',
        description: `Server-sent events of all your jobs, from now on, or after the event that you name. ${FORM}`,
        tags: ['jobs'],
        querystring: resumeQuery,
        produces: [SSE_TYPE],
        response: { 200: z.any().describe('Server-sent events') },
      },
    },
    async (request, reply) => {
      lastEventId(request);
      return answer(request, reply);
    },
  );

  app.get(
    '/v1/jobs/:id/events',
    {
      config: { scope: 'jobs:read', held: true },
      schema: {
        summary: 'Follow a job',
        description: `Server-sent events: first \`state\`, the job as it is (unless you name the last event that you know), then what happens to it, until its end. ${FORM} 204: nothing has happened since, and nothing will.`,
        tags: ['jobs'],
        params: z.object({ id: z.string().describe('The id of a job') }),
        querystring: resumeQuery,
        produces: [SSE_TYPE],
        response: { 200: z.any().describe('Server-sent events'), 204: z.any().describe('It has ended') },
      },
    },
    async (request, reply) => {
      const job = await find(queue, request.params.id, request.caller);
      const after = lastEventId(request);
      // Any other answer would have a browser come back for ever.
      if (isFinished(job) && after !== undefined && !(await queue.hasNews(job.id, after)))
        return reply.code(204).header('cache-control', 'no-store').send();
      return answer(request, reply, job);
    },
  );
};

function streamOf(
  request: FastifyRequest,
  reply: FastifyReply,
  texts: JobTexts,
  { queue, leaving, heartbeatMs }: EventRoutesOptions,
  job: Job | undefined,
): AsyncGenerator<string> {
  // Listened to before anything is awaited: who is gone by then is told so at once.
  const signals = [clientGone(reply), leaving, ...(request.revoked ? [request.revoked] : [])];
  const signal = AbortSignal.any(signals);
  const wanted = { tenant: request.caller.tenant, jobId: job?.id, after: lastEventId(request) };
  const { frames, position } = tellEvents(queue, texts, wanted, signal);
  return begin(withHeartbeats(frames, heartbeatMs, () => encodeHeartbeat(position())));
}

async function* begin(frames: AsyncGenerator<string>): AsyncGenerator<string, void, undefined> {
  // At once, so that the client knows that it is connected.
  yield encodeRetry(Math.round(RETRY_MS * (0.5 + Math.random())));
  yield* frames;
}

/** Throws `invalid_request` for one that is none of ours. */
function lastEventId({ headers, query }: FastifyRequest): number | undefined {
  const header = headers['last-event-id']?.toString() ?? '';
  const { lastEventId: asked } = query as z.output<typeof resumeQuery>;
  if (header === '') return asked === undefined ? undefined : Number(asked);
  if (/^\d{1,15}$/.test(header)) return Number(header);
  throw new Problem('invalid_request', 'Last-Event-ID must be the id of an event, as it came.', {
    errors: [{ field: 'last-event-id', message: 'must be the id of an event' }],
  });
}
