// What becomes of a source whose job could not be queued, and of the error that says so.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { expect, it } from 'vitest';
import type { Job } from '../../src/jobs/job.ts';
import { recipeSchema } from '../../src/jobs/recipe.ts';
import { newId } from '../../src/lib/id.ts';
import { Problem } from '../../src/problems.ts';
import { enqueue } from '../../src/routes/accept-job.ts';

const id = newId();
const recipe = recipeSchema.parse({ outputs: { a: { type: 'image' } } });
const source = { key: `sources/${id}`, name: null, mediaType: 'image/png', bytes: 1 };

/** Keys that were removed, and what the call came to. */
async function queueing(
  add: () => Promise<Job>,
  remove: () => Promise<void> = async () => undefined,
): Promise<{ readonly deleted: string[]; readonly outcome: unknown }> {
  const deleted: string[] = [];
  const store = {
    async delete(key: string) {
      deleted.push(key);
      await remove();
    },
  };
  const request = { caller: { tenant: 'default' }, headers: {}, id: 'r' } as unknown as FastifyRequest;
  const intake = { queue: { add }, store } as unknown as Parameters<typeof enqueue>[2];
  const made = { id, lane: 'image', order: { recipe }, source } as const;
  const outcome = await enqueue(request, {} as FastifyReply, intake, made).catch((error: unknown) => error);
  return { deleted, outcome };
}

it('it stays where it is not known whether the job was stored', async () => {
  const away = new Problem('backend_unavailable', 'no answer');
  expect(await queueing(() => Promise.reject(away))).toEqual({ deleted: [], outcome: away });
});

it('it goes where the job was refused, and the error is that of the queue', async () => {
  const full = new Problem('overloaded', 'full');
  const refused = (): Promise<never> => Promise.reject(full);
  expect(await queueing(refused)).toEqual({ deleted: [source.key], outcome: full });
  const away = (): Promise<never> => Promise.reject(new Problem('backend_unavailable', 'S3 is away'));
  expect(await queueing(refused, away)).toEqual({ deleted: [source.key], outcome: full });
});
