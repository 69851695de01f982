// A stream over HTTP: watched while it is made, and afterwards.

import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { script } from '../engines/video-fixtures.ts';
import { eventually } from '../support/eventually.ts';
import { clipFixture, FFMPEG } from '../support/fixtures.ts';
import { form, problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

let folder: string;
let server: TestServer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-hls-'));
  // Encodes no faster than the video lasts, as a long one would.
  const slow = await script(
    join(folder, 'ffmpeg'),
    `case "$*" in *"-f hls"*) exec ${FFMPEG} -re "$@";; *) exec ${FFMPEG} "$@";; esac`,
  );
  server = await startTestServer({ FFMPEG_PATH: slow, ALLOW_ORIGIN: '*' });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function submit(outputs: Record<string, unknown>, seconds: number): Promise<JobView> {
  const clip = await readFile(await clipFixture({ seconds, width: 320, height: 180 }));
  const response = await server.request('/v1/jobs', {
    method: 'POST',
    body: form(new Uint8Array(clip), { recipe: JSON.stringify({ outputs }) }),
  });
  expect(response.status).toBe(202);
  return (await response.json()) as JobView;
}

const look = async (id: string): Promise<JobView> =>
  (await (await server.request(`/v1/jobs/${id}`)).json()) as JobView;

describe('a stream that is being made', () => {
  it('can be watched from its first segments on, and becomes a whole', async () => {
    const { id } = await submit({ tv: { type: 'hls', segmentSeconds: 2 } }, 5);
    const live = await eventually('the stream goes live', async () => {
      const job = await look(id);
      return job.outputs[0]?.url == null ? undefined : job;
    });
    expect(live.status).toBe('running');
    expect(live.outputs[0]).toMatchObject({
      url: `/v1/jobs/${id}/outputs/tv/master.m3u8`,
      mediaType: 'application/vnd.apple.mpegurl',
    });
    const base = `/v1/jobs/${id}/outputs/tv`;
    const redirect = await server.request(base, { redirect: 'manual' });
    expect([redirect.status, redirect.headers.get('location')]).toEqual([302, `${base}/master.m3u8`]);

    const playlist = await server.request(`${base}/v180.m3u8`);
    expect(playlist.headers.get('cache-control')).toBe('no-cache');
    expect(playlist.headers.get('access-control-allow-origin')).toBe('*');
    const text = await playlist.text();
    expect(text).toContain('#EXT-X-PLAYLIST-TYPE:EVENT');
    expect(text).not.toContain('#EXT-X-ENDLIST');
    expect(text).toContain('v180.00000.m4s');
    const segment = await server.request(`${base}/v180.00000.m4s`);
    expect(segment.status).toBe(200);
    // A second attempt would begin anew under the same names: nobody may keep it, nor go on with another's half.
    expect(segment.headers.get('cache-control')).toBe('no-cache');
    expect(segment.headers.get('etag')).toMatch(/^"[\w-]+\/tv-\d+"$/);
    const part = await server.request(`${base}/v180.00000.m4s`, { headers: { range: 'bytes=0-7' } });
    expect([part.status, (await part.bytes()).length]).toEqual([206, 8]);
    expect((await segment.arrayBuffer()).byteLength).toBe(Number(segment.headers.get('content-length')));
    const early = await problemOf(await server.request(`${base}/v180.00099.m4s`));
    expect(early).toMatchObject({ code: 'output_not_found' });

    const done = await server.finished({ id });
    expect(done).toMatchObject({ status: 'succeeded', outputs: [{ url: `${base}/master.m3u8` }] });
    expect(done.outputs[0]?.files?.map(({ file }) => file)).toContain('v180.m3u8');
    const whole = await server.request(`${base}/v180.m3u8`);
    expect(whole.headers.get('cache-control')).toContain('immutable');
    expect(await whole.text()).toContain('#EXT-X-ENDLIST');
    // What was fetched while it was made is still there.
    const kept = await server.request(`${base}/v180.00000.m4s`);
    expect([kept.status, kept.headers.get('cache-control')]).toEqual([
      200,
      'private, max-age=3600, immutable',
    ]);
    expect(kept.headers.get('etag')).toMatch(/^".+"$/);
    expect((await server.request(`${base}/v180.00002.m4s`)).status).toBe(200);
  });

  it.each(['..%2f..%2fmediamill.sqlite', '.hidden.m4s', 'v180.index.m3u8%00.m4s', 'master.txt'])(
    'gives nothing else away: %s',
    async (file) => {
      const { jobs } = (await (await server.request('/v1/jobs?status=succeeded')).json()) as {
        jobs: JobView[];
      };
      const response = await server.request(`/v1/jobs/${jobs[0]?.id}/outputs/tv/${file}`);
      expect(response.status).toBe(404);
    },
  );

  it('is gone with its job when that is cancelled', async () => {
    const { id } = await submit({ tv: { type: 'hls', segmentSeconds: 2 } }, 30);
    await eventually('the stream goes live', async () =>
      (await look(id)).outputs[0]?.url == null ? undefined : true,
    );
    await server.request(`/v1/jobs/${id}/cancel`, { method: 'POST' });
    expect(await server.finished({ id })).toMatchObject({ status: 'cancelled', outputs: [{ url: null }] });
    const gone = await server.request(`/v1/jobs/${id}/outputs/tv/v180.00000.m4s`);
    expect((await problemOf(gone)).code).toBe('output_not_found');
  });
});
