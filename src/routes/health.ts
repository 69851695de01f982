// /livez: the process answers. /readyz: it can do its work, and what is missing if not.

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { BlobStore, JobQueue } from '../contracts.ts';
import type { VideoEngine } from '../engine-contracts.ts';

export interface HealthRoutesOptions {
  readonly queue: JobQueue;
  readonly store: BlobStore;
  readonly videos: VideoEngine;
  /** Aborted when the process begins to leave. */
  readonly leaving: AbortSignal;
}

const check = z.object({ ok: z.boolean(), detail: z.string().optional() });
const readiness = z.object({ status: z.enum(['ready', 'not_ready']), checks: z.record(z.string(), check) });
type Check = z.output<typeof check>;

export const healthRoutes: FastifyPluginAsyncZod<HealthRoutesOptions> = async (
  app,
  { queue, store, videos, leaving },
) => {
  app.get(
    '/livez',
    {
      config: { scope: 'public', anyHost: true },
      schema: {
        summary: 'Does this process answer?',
        tags: ['health'],
        response: { 200: z.object({ status: z.literal('ok') }) },
      },
    },
    async (_request, reply) => reply.header('cache-control', 'no-store').send({ status: 'ok' }),
  );
  app.get(
    '/readyz',
    {
      config: { scope: 'public', anyHost: true },
      schema: {
        summary: 'Can this process do its work?',
        tags: ['health'],
        response: { 200: readiness, 503: readiness },
      },
    },
    async (_request, reply) => {
      const checks = {
        process: leaving.aborted ? { ok: false, detail: 'is leaving' } : { ok: true },
        queue: await attempt(() => queue.counts()),
        store: await roomIn(store),
        ffmpeg: await ffmpegOf(videos),
      };
      const ready = Object.values(checks).every(({ ok }) => ok);
      return reply
        .code(ready ? 200 : 503)
        .header('cache-control', 'no-store')
        .send({ status: ready ? 'ready' : 'not_ready', checks });
    },
  );
};

async function attempt(work: () => Promise<unknown>): Promise<Check> {
  try {
    await work();
    return { ok: true };
  } catch {
    return { ok: false, detail: 'does not answer; the log says why' };
  }
}

async function roomIn(store: BlobStore): Promise<Check> {
  try {
    return (await store.free()) === 0 ? { ok: false, detail: 'the disk is full' } : { ok: true };
  } catch {
    return { ok: false, detail: 'cannot be reached; the log says why' };
  }
}

/** A server without FFmpeg still serves images, but it is not what it should be: it is not ready. */
async function ffmpegOf(videos: VideoEngine): Promise<Check> {
  const { missing } = await videos.capabilities();
  return missing.length === 0 ? { ok: true } : { ok: false, detail: missing.join(' ') };
}
