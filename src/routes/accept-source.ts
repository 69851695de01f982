// Accepting a job whose source does not come with the request: it was uploaded before, or is fetched from a URL.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { workOf } from '../jobs/recipe.ts';
import { findUpload } from '../uploads/find-source.ts';
import { newId } from '../lib/id.ts';
import { nameInUrl } from '../lib/safe-download.ts';
import { Problem } from '../problems.ts';
import { UPLOAD_PREFIX, uploadKey } from '../uploads/uploads.ts';
import { admitVideo, checkOrder, enqueue, laneOf, sourceKey } from './accept-job.ts';
import type { JobIntake } from './accept-job.ts';
import type { JobOrder, OrderSource } from './order.ts';

/** Queues the job, answers 202 with `Location`. */
export async function acceptSource(
  request: FastifyRequest,
  reply: FastifyReply,
  intake: JobIntake,
  { order, source }: { readonly order: JobOrder; readonly source: OrderSource },
): Promise<FastifyReply> {
  await checkOrder(order, request.caller.tenant, intake);
  return 'url' in source
    ? acceptUrl(request, reply, intake, order, source.url)
    : acceptUpload(request, reply, intake, order, source.upload);
}

/** The bytes become the job's own, so that the upload may be removed at any time. */
async function acceptUpload(
  request: FastifyRequest,
  reply: FastifyReply,
  intake: JobIntake,
  order: JobOrder,
  reference: string,
): Promise<FastifyReply> {
  const named = reference.startsWith(UPLOAD_PREFIX) ? reference : `${UPLOAD_PREFIX}${reference}`;
  const upload = await findUpload(named, request.caller.tenant, intake.uploads);
  const { name, mediaType, bytes } = upload;
  const lane = await laneOf(order.recipe, upload, intake);
  if (lane === 'video') await request.admitTenantMinutes();
  const id = newId();
  const key = sourceKey(id);
  try {
    await intake.store.copy(uploadKey(upload.id), key);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Problem('source_not_found', 'The upload was removed, or has expired, in this moment.', {
      cause: error,
    });
  }
  return enqueue(request, reply, intake, { id, lane, order, source: { key, name, mediaType, bytes } });
}

/** What the source is shows when it is fetched: until then only what the recipe and the address say can be wrong. */
async function acceptUrl(
  request: FastifyRequest,
  reply: FastifyReply,
  intake: JobIntake,
  order: JobOrder,
  address: string,
): Promise<FastifyReply> {
  const url = intake.checkRemote(address);
  await request.admitTenantBytes();
  if (workOf(order.recipe) === 'video') await Promise.all([admitVideo(intake), request.admitTenantMinutes()]);
  const id = newId();
  return enqueue(request, reply, intake, {
    id,
    lane: 'fetch',
    order,
    source: { key: sourceKey(id), url: url.href, name: nameInUrl(url), mediaType: null, bytes: null },
  });
}
