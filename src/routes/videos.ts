// POST /v1/videos: a video in, a job out.

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { jobViewSchema } from '../jobs/job-view.ts';
import { videoOutputsFromQuery, videoQuerySchema } from '../operations/video.ts';
import { mediaBody } from '../plugins/media-body.ts';
import type { MediaBodyOptions } from '../plugins/media-body.ts';
import { acceptJob, admitJob, admitVideo } from './accept-job.ts';
import type { JobIntake } from './accept-job.ts';

export interface VideoRoutesOptions {
  readonly jobs: JobIntake;
  readonly body: MediaBodyOptions;
}

export const videoRoutes: FastifyPluginAsyncZod<VideoRoutesOptions> = async (app, { jobs, body }) => {
  await app.register(mediaBody, body);
  app.post(
    '/v1/videos',
    {
      schema: {
        summary: 'Transcode a video',
        description:
          'Send the video as the raw body, or as the part `file` of multipart/form-data. It is streamed to the store; the answer is a job to follow at `Location`.',
        tags: ['videos'],
        querystring: videoQuerySchema,
        consumes: ['multipart/form-data', 'application/octet-stream', 'video/*'],
        response: { 202: jobViewSchema },
      },
      onRequest: async (request) => {
        await admitVideo(jobs);
        await admitJob(request, jobs);
      },
    },
    async (request, reply) => {
      const outputs = videoOutputsFromQuery(request.query);
      return acceptJob(request, reply, jobs, { fieldNames: [], orderFrom: () => ({ recipe: { outputs } }) });
    },
  );
};
