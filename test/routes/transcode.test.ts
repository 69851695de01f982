// What a transcode needs or gives beside the video, by HTTP: an uploaded watermark, subtitles as files.

import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { colourAt } from '../engines/transcode-pixels.ts';
import { ffmpeg, folder, H264 } from '../engines/video-fixtures.ts';
import type { Folder } from '../engines/video-fixtures.ts';
import { form, problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

let place: Folder;
let server: TestServer;
beforeAll(async () => {
  place = await folder();
  server = await startTestServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const BLACK = ['-f', 'lavfi', '-i', 'color=black:size=320x180:rate=25:duration=1'];
const bytesOf = async (path: string): Promise<Buffer<ArrayBuffer>> => Buffer.from(await readFile(path));

it('a watermark that was uploaded lies on the video', async () => {
  const [clip, mark, made] = [place.join('clip.mp4'), place.join('mark.png'), place.join('made.mp4')];
  await ffmpeg(...BLACK, ...H264, clip);
  await ffmpeg('-f', 'lavfi', '-i', 'color=white:size=40x40', '-frames:v', '1', mark);
  const upload = await server.request('/v1/uploads', { method: 'POST', body: await bytesOf(mark) });
  const { id } = (await upload.json()) as { id: string };
  const query = new URLSearchParams({
    watermark: `centre,0.2,1,upload:${id}`,
    poster: 'false',
    effort: 'fast',
  });
  const accepted = await server.request(`/v1/videos?${query.toString()}`, {
    method: 'POST',
    body: form(await bytesOf(clip), {}),
  });
  expect(accepted.status, await accepted.clone().text()).toBe(202);
  const job = await server.finished((await accepted.json()) as JobView);
  expect(job.status, JSON.stringify(job.problem)).toBe('succeeded');
  const video = await server.request(job.outputs[0]?.url ?? '');
  await writeFile(made, Buffer.from(await video.arrayBuffer()));
  expect(await colourAt(made, 0.5, 0.5)).toBe('white');
  expect(await colourAt(made, 0.2, 0.2)).toBe('black');
});

it('a video may go before or after others', async () => {
  const clip = place.join('first.mp4');
  await ffmpeg(...BLACK, ...H264, clip);
  const send = async (priority: string) =>
    server.request(`/v1/videos?poster=false&priority=${priority}`, {
      method: 'POST',
      body: await bytesOf(clip),
    });
  const accepted = await send('-7');
  expect(accepted.status, await accepted.clone().text()).toBe(202);
  expect(await accepted.json()).toMatchObject({ priority: -7 });
  const refused = await problemOf(await send('101'));
  expect(refused.errors?.[0]?.field).toBe('priority');
});

it('subtitles that are kept have addresses of their own', async () => {
  const path = place.join('subtitled.mkv');
  await writeFile(place.join('en.srt'), '1\n00:00:00,200 --> 00:00:00,800\nHELLO\n\n');
  await ffmpeg(
    ...[
      ...BLACK,
      '-i',
      place.join('en.srt'),
      ...H264,
      '-c:s',
      'srt',
      '-metadata:s:s:0',
      'language=eng',
      path,
    ],
  );
  const recipe = JSON.stringify({ outputs: { film: { type: 'transcode', subtitles: 'keep' } } });
  const accepted = await server.request('/v1/jobs', {
    method: 'POST',
    body: form(await bytesOf(path), { recipe }),
  });
  const job = await server.finished((await accepted.json()) as JobView);
  expect(job.status, JSON.stringify(job.problem)).toBe('succeeded');
  const [film] = job.outputs;
  expect(film?.mediaType).toBe('video/mp4');
  const text = await server.request(`/v1/jobs/${job.id}/outputs/film/subtitles.eng.vtt`);
  expect(text.status).toBe(200);
  expect(text.headers.get('content-type')).toMatch(/^text\/vtt/);
  expect(await text.text()).toBe('WEBVTT\n\n00:00.200 --> 00:00.800\nHELLO\n');
});
