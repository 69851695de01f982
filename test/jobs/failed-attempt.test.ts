// An attempt that fails while the store is away, too, tells why it failed.

import { expect, it } from 'vitest';
import { Reroute } from '../../src/contracts.ts';
import type { BlobStore } from '../../src/contracts.ts';
import { advance, newJob } from '../../src/jobs/job.ts';
import { recipeSchema } from '../../src/jobs/recipe.ts';
import { jobHandlers } from '../../src/jobs/runner.ts';
import type { RunnerOptions } from '../../src/jobs/runner.ts';
import { Problem } from '../../src/problems.ts';

it.each([new Problem('image_unreadable', 'It breaks off.'), new Reroute('film')])('%s', async (why) => {
  const store = {
    local: () => Promise.reject(why),
    read: () => Promise.reject(why),
    delete: () => Promise.reject(new Problem('backend_unavailable', 'S3 is away')),
  } as Partial<BlobStore>;
  const { image } = jobHandlers({ store } as RunnerOptions);
  const facts = { name: null, mediaType: 'image/png', bytes: 1, width: null, height: null };
  const source = { key: 'sources/a', ...facts, durationSeconds: null };
  const recipe = recipeSchema.parse({ outputs: { a: { type: 'image' } } });
  const queued = newJob({ id: 'a', tenant: 'default', lane: 'image', source, recipe }, 1);
  const job = advance(queued, { type: 'start' }, 2, { maxAttempts: 3, ttlSeconds: 60 });
  const context = { signal: new AbortController().signal, progress: () => undefined };
  await expect(image.run(job, context)).rejects.toBe(why);
});
