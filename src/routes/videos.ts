// POST /v1/videos: a video in, a job out; or the video itself, while it is encoded.

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { jobViewSchema } from '../jobs/job-view.ts';
import { videoOutputsFromQuery, videoQuerySchema } from '../operations/video.ts';
import { mediaBody } from '../plugins/media-body.ts';
import type { MediaBodyOptions } from '../plugins/media-body.ts';
import { acceptJob, admitBytes, admitJob, admitVideo, madeJob } from './accept-job.ts';
import type { JobIntake } from './accept-job.ts';
import { acceptSource } from './accept-source.ts';
import { prioritySchema, sourceOf, sourceSchema, webhookSchema } from './order.ts';
import { streamVideo } from './stream-video.ts';
import type { StreamIntake } from './stream-video.ts';

export interface VideoRoutesOptions {
  readonly jobs: JobIntake;
  readonly body: MediaBodyOptions;
  readonly streams: StreamIntake;
}

const orderQuery = videoQuerySchema
  .safeExtend({ priority: prioritySchema, webhook: webhookSchema, source: sourceSchema })
  .superRefine(({ delivery, priority, webhook, source }, context) => {
    if (delivery !== 'stream') return;
    for (const [name, value] of Object.entries({ priority, webhook, source })) {
      if (value === undefined) continue;
      const message = `delivery=stream begins at once and makes no job: leave \`${name}\` out, or ask for delivery=job`;
      context.addIssue({ code: 'custom', path: [name], message });
    }
  });

export const videoRoutes: FastifyPluginAsyncZod<VideoRoutesOptions> = async (
  app,
  { jobs, body, streams },
) => {
  await app.register(mediaBody, body);
  app.post(
    '/v1/videos',
    {
      config: {
        scope: 'jobs:write',
        idempotent: { when: (request) => !isStream(request.query), made: madeJob(jobs.queue) },
      },
      schema: {
        summary: 'Transcode a video',
        description:
          'Send the video as the raw body, or as the part `file` of multipart/form-data, or name it by `source`. It is streamed to the store; the answer is a job to follow at `Location`. With `delivery=stream` the answer is the video itself, as fragmented MP4 or WebM, sent while it is encoded; it is broken off if that fails.',
        tags: ['videos'],
        querystring: orderQuery,
        consumes: ['multipart/form-data', 'application/octet-stream', 'video/*'],
        response: { 200: z.any().describe('The video, with delivery=stream'), 202: jobViewSchema },
      },
      onRequest: async (request, reply) => {
        await admitVideo(jobs);
        await request.admitTenantMinutes();
        // Not validated yet: whatever else it may be is refused in a moment.
        if (!isStream(request.query)) return admitJob(request, jobs);
        await admitBytes(request, streams.store);
        streams.slots.take(reply);
      },
    },
    async (request, reply) => {
      const { priority, webhook, source, ...asked } = request.query;
      const outputs = videoOutputsFromQuery(asked);
      if (asked.delivery === 'stream') return streamVideo(request, reply, outputs.video, streams);
      const order = { recipe: { outputs }, priority, webhook };
      if (source !== undefined)
        return acceptSource(request, reply, jobs, { order, source: sourceOf(source, request) });
      return acceptJob(request, reply, jobs, { fieldNames: [], orderFrom: () => order });
    },
  );
};

/** Of a query that is not validated yet. */
function isStream(query: unknown): boolean {
  return (query as { readonly delivery?: unknown }).delivery === 'stream';
}
