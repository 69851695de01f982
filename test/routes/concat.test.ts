// Joining uploads by a job: accepted only if they are there.

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { folder, webReady } from '../engines/video-fixtures.ts';
import type { Folder } from '../engines/video-fixtures.ts';
import { eventually } from '../support/eventually.ts';
import { form, problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { blobsOf } from '../support/stored.ts';

let place: Folder;
let server: TestServer;
let clip: Buffer<ArrayBuffer>;
beforeAll(async () => {
  place = await folder();
  server = await startTestServer();
  clip = Buffer.from(await readFile(await webReady(place.join('clip.mp4'))));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const joining = (...references: string[]) =>
  JSON.stringify({ outputs: { film: { type: 'concat', with: references, height: 90, effort: 'fast' } } });

it('joins an upload to the source, twice', async () => {
  const upload = await server.request('/v1/uploads', { method: 'POST', body: clip });
  const { id } = (await upload.json()) as { id: string };
  const recipe = joining(`upload:${id}`, `upload:${id}`);
  const accepted = await server.request('/v1/jobs', { method: 'POST', body: form(clip, { recipe }) });
  expect(accepted.status).toBe(202);
  const job = await server.finished((await accepted.json()) as JobView);
  expect(job.status, JSON.stringify(job.problem)).toBe('succeeded');
  const [film] = job.outputs;
  expect(film).toMatchObject({ mediaType: 'video/mp4', width: 160, height: 90 });
  expect(film?.durationSeconds).toBeCloseTo(6, 1);
});

describe('an upload that is not there', () => {
  const recipe = joining('upload:AAAAAAAAAAAAAAAAAAAAAA');

  it('is told of at once, whether the recipe comes before the file or after', async () => {
    const after = new FormData();
    after.append('file', new Blob([clip]), 'clip.mp4');
    after.append('recipe', recipe);
    for (const body of [form(clip, { recipe }), after]) {
      const refused = await server.request('/v1/jobs', { method: 'POST', body });
      expect(refused.status).toBe(404);
      expect(await problemOf(refused)).toMatchObject({
        code: 'source_not_found',
        detail: expect.stringContaining('upload:AAAAAAAAAAAAAAAAAAAAAA'),
      });
    }
  });

  it('leaves nothing behind', async () => {
    const { jobs } = (await (await server.request('/v1/jobs')).json()) as { jobs: JobView[] };
    expect(jobs.filter(({ status }) => status !== 'succeeded')).toEqual([]);
    const sources = (): Promise<string[]> => blobsOf(server.config.DATA_DIR, 'sources/');
    await eventually('no source is kept', async () => (await sources()).length === 0);
  });
});
