// GET /v1/machine: how busy the machine is, and was in the last quarter of an hour.

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { LANES } from '../jobs/job.ts';
import type { MachineView } from '../metrics/machine.ts';

const count = z.int().min(0);
const amount = z.number().min(0);
const perLane = z.record(z.enum(LANES), count);

const machineView = z.object({
  now: z.iso.datetime(),
  processes: count.describe('That serve'),
  cores: count,
  roles: z.array(z.enum(['web', 'work'])).describe('What this machine does'),
  lanes: z
    .array(z.enum([...LANES, 'chunk']))
    .describe('That it works on; `chunk`: parts of films of other machines'),
  samples: z
    .array(
      z.object({
        at: z.iso.datetime().describe('When the five seconds ended'),
        requestsPerSecond: amount,
        p50Ms: amount
          .nullable()
          .describe(
            'Median of the answers, without long polls and event streams; null where there were none',
          ),
        p95Ms: amount.nullable(),
        imagesPerSecond: amount,
        bytesInPerSecond: amount,
        bytesOutPerSecond: amount,
        queued: perLane.describe('Jobs that wait; in `image` also images that wait for a thread'),
        running: perLane,
        threadsBusy: count,
        threads: count.describe('Image threads'),
        ffmpegRunning: count.describe('FFmpegs and ffprobes'),
        ffmpegSlots: count.describe('Jobs with videos that may run at once'),
        rssBytes: count.describe("Memory of the server's own processes, without the encoders"),
        cpu: z.number().min(0).max(1).describe("Busy share of the machine's cores, whoever keeps them busy"),
      }),
    )
    .describe('Five seconds each, the last quarter of an hour, oldest first'),
});

export const machineRoutes: FastifyPluginAsyncZod<{
  readonly machine: () => Promise<MachineView>;
}> = async (app, { machine }) => {
  app.get(
    '/v1/machine',
    {
      config: { scope: 'machine' },
      schema: {
        summary: 'How busy the machine is',
        description:
          'All processes together, in steps of five seconds over the last quarter of an hour. In a fleet: of the machine that answers; only `queued` and `running` are of all machines.',
        tags: ['about'],
        response: { 200: machineView },
      },
    },
    // Typed functions build it, and nothing of it comes from a client.
    async (_request, reply) =>
      reply.header('cache-control', 'no-store').send((await machine()) as z.output<typeof machineView>),
  );
};
