// POST /v1/images/set: an image in, all its widths and formats out at once, as one answer; or a job, if the client prefers.

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { Readable } from 'node:stream';
import { z } from 'zod';
import type { ImageEngine, Rendering } from '../engine-contracts.ts';
import { sizeOf } from '../jobs/image-results.ts';
import { jobViewSchema } from '../jobs/job-view.ts';
import { parseAccept } from '../lib/accept.ts';
import { multipartMixed } from '../lib/multipart-mixed.ts';
import { storedZip } from '../lib/stored-zip.ts';
import type { NamedBytes } from '../lib/stored-zip.ts';
import {
  expandSet,
  imageSetFromQuery,
  imageSetQuerySchema,
  setFileName,
  setMarkup,
} from '../operations/image-set.ts';
import type { ExpandedSet, ImageSetOutput } from '../operations/image-set.ts';
import { mediaBody } from '../plugins/media-body.ts';
import type { MediaBodyOptions } from '../plugins/media-body.ts';
import type { JobIntake } from './accept-job.ts';
import { clientGone } from './image-intake.ts';
import type { ImageIntake } from './image-intake.ts';
import { asyncOnly, prefersAsync, webhookSchema } from './order.ts';
import { acceptPreferred, admitEither, demandScopeOfJobs, idempotentAsJob } from './preferred-job.ts';

export interface ImageSetRoutesOptions {
  readonly images: ImageEngine;
  readonly jobs: JobIntake;
  readonly intake: ImageIntake;
  readonly body: MediaBodyOptions;
}

const orderQuery = imageSetQuerySchema.extend({ webhook: webhookSchema });

export const imageSetRoutes: FastifyPluginAsyncZod<ImageSetRoutesOptions> = async (app, options) => {
  const { images, jobs, intake } = options;
  await app.register(mediaBody, options.body);
  app.addHook('onRequest', demandScopeOfJobs);
  app.post(
    '/v1/images/set',
    {
      config: {
        scope: 'images',
        idempotent: idempotentAsJob(jobs),
      },
      schema: {
        summary: 'Make an image in several widths and formats',
        description:
          'Send the image as the raw body, or as the part `file` of multipart/form-data. The answer is multipart/mixed, or a ZIP for `Accept: application/zip`: first `manifest.json` (files, `srcset`, HTML), then the files. With `Prefer: respond-async` it becomes a job, which takes the scope `jobs:write` as well.',
        tags: ['images'],
        querystring: orderQuery,
        consumes: ['multipart/form-data', 'application/octet-stream', 'image/*'],
        response: { 200: z.any().describe('The manifest and the files'), 202: jobViewSchema },
      },
      onRequest: async (request) => {
        await admitEither(request, options);
      },
    },
    async (request, reply) => {
      const { webhook, ...asked } = request.query;
      const set = imageSetFromQuery(asked);
      if (prefersAsync(request))
        return acceptPreferred(request, reply, jobs, { recipe: { outputs: { set } }, webhook });
      asyncOnly({ webhook });
      const { bytes } = await intake.read(request);
      const expanded = expandSet(set, await sizeOf(images, bytes));
      const outputs = expanded.renditions.map(({ output }) => output);
      const rendering = await images.render(bytes, outputs, {
        tenant: request.caller.tenant,
        signal: clientGone(reply),
      });
      const files = filesOf(set, expanded, rendering);
      const accepts = parseAccept(request.headers.accept);
      const [zip, mixed] = [accepts('application/zip'), accepts('multipart/mixed')];
      const wantsZip =
        zip.weight > mixed.weight || (zip.weight === mixed.weight && zip.named && !mixed.named);
      const packed = wantsZip ? storedZip(files) : multipartMixed(files);
      return reply
        .header('content-type', packed.contentType)
        .header('content-length', packed.length)
        .header('cache-control', 'no-store')
        .header('vary', 'Accept')
        .header(
          'server-timing',
          `queue;dur=${rendering.queueMs.toFixed(1)}, process;dur=${rendering.processMs.toFixed(1)}`,
        )
        .send(Readable.from(packed.chunks, { objectMode: false }));
    },
  );
};

/** The manifest, and behind it all pictures. */
function filesOf(set: ImageSetOutput, expanded: ExpandedSet, rendering: Rendering): NamedBytes[] {
  const pictures = new Map<string, Rendering['images'][number]>();
  for (const [index, image] of rendering.images.entries()) {
    const name = setFileName(expanded.renditions[index]?.width ?? image.width, image.mediaType);
    if (!pictures.has(name)) pictures.set(name, image);
  }
  const files = [...pictures].map(([file, { mediaType, width, height, data }]) => ({
    file,
    mediaType,
    bytes: data.length,
    width,
    height,
  }));
  const decisions = new Set([...expanded.decisions, ...rendering.images.flatMap((image) => image.decisions)]);
  const markup = setMarkup(files, set, (file) => file);
  const manifest = { source: rendering.source, files, ...markup, decisions: [...decisions] };
  return [
    {
      name: 'manifest.json',
      mediaType: 'application/json',
      data: Buffer.from(JSON.stringify(manifest, null, 2)),
    },
    ...[...pictures].map(([name, { mediaType, data }]) => ({ name, mediaType, data })),
  ];
}
