// What the server makes, in a real browser: the ladder plays, changes rungs, seeks, and can be watched while it is made.

import { readFile } from 'node:fs/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { eventually } from '../support/eventually.ts';
import { FFMPEG, ffmpegFixture } from '../support/fixtures.ts';
import { folder, script } from '../engines/video-fixtures.ts';
import type { Folder } from '../engines/video-fixtures.ts';
import { form, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { browserIsMissing, openBrowser } from './browser.ts';
import { colourOf } from './film-colour.ts';
import { faultsAmong, openPlayerPage, playFile, playHls } from './player-page.ts';
import type { Level } from './player-page.ts';

const SECONDS = 8;

/** 640×360 with two tracks of sound; its picture is red until 4 s, blue from then on. */
const source = (): Promise<string> =>
  ffmpegFixture('mkv', [
    ...['-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=25:duration=${SECONDS}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${SECONDS}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=880:sample_rate=48000:duration=${SECONDS}`],
    ...['-map', '0:v', '-map', '1:a', '-map', '2:a'],
    ...['-metadata:s:a:0', 'language=eng', '-metadata:s:a:1', 'language=deu'],
    '-vf',
    "drawbox=w=320:h=360:color=red:t=fill:enable='lt(t,4)',drawbox=w=320:h=360:color=blue:t=fill:enable='gte(t,4)'",
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac'],
  ]);

async function submit(server: TestServer, outputs: Record<string, unknown>): Promise<JobView> {
  const clip = await readFile(await source());
  const answer = await server.request('/v1/jobs', {
    method: 'POST',
    body: form(new Uint8Array(clip), { recipe: JSON.stringify({ outputs }) }),
  });
  expect(answer.status).toBe(202);
  return (await answer.json()) as JobView;
}

const urlOf = (job: JobView, name: string): string =>
  job.outputs.find((output) => output.name === name)?.url ?? '';

// Both take as long as their film lasts.
describe.skipIf(browserIsMissing()).concurrent('in a real browser', () => {
  let browser: Browser;
  let place: Folder;
  beforeAll(async () => {
    place = await folder();
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await place[Symbol.asyncDispose]();
  });

  it('a ladder plays, changes rungs and seeks; MP4 and WebM of the same job play too', async () => {
    await using server = await startTestServer();
    const job = await server.finished(
      await submit(server, {
        tv: { type: 'hls', heights: [360, 180], segmentSeconds: 2, dash: true },
        mp4: { type: 'transcode', height: 180 },
        webm: { type: 'transcode', height: 180, format: 'webm', effort: 'fast' },
      }),
    );
    expect(job).toMatchObject({ status: 'succeeded', warnings: [] });
    await using player = await openPlayerPage(browser, { origin: server.url });
    const film = await playHls(player, urlOf(job, 'tv'), { startLevel: 0 });
    const levels = await film.levels();
    expect(levels).toMatchObject([
      { width: 320, height: 180, frameRate: 25, videoRange: 'SDR' },
      { width: 640, height: 360, frameRate: 25, videoRange: 'SDR' },
    ]);
    expect((await film.tracks()).audio).toMatchObject([
      { name: 'English', language: 'en', default: true },
      { name: 'German', language: 'de', default: false },
    ]);
    // Picture and sound begin together, at the beginning.
    expect((await film.facts()).buffered[0]?.[0]).toBe(0);
    const [low, high] = levels as [Level, Level];
    for (const level of [high, low, high]) {
      expect(await film.switchTo(level)).toMatchObject({ height: level.height });
    }
    await film.seek(6.02);
    expect(await colourOf(film)).toBe('blue');
    await film.seek(1);
    expect(await colourOf(film)).toBe('red');
    const end = await film.playUntil('end', 4);
    expect(end.ended).toBe(true);
    expect(end.duration).toBeCloseTo(SECONDS, 0);
    expect(end.audioBytes).toBeGreaterThan(0);
    expect(faultsAmong(await film.errors())).toEqual([]);

    for (const name of ['mp4', 'webm']) {
      const whole = await playFile(player, urlOf(job, name));
      expect(await whole.facts()).toMatchObject({ width: 320, height: 180 });
      await whole.seek(6);
      expect(await colourOf(whole)).toBe('blue');
      expect((await whole.playUntil('end', 4)).ended).toBe(true);
      expect(await whole.errors()).toEqual([]);
    }
  });

  it('a ladder can be watched from its first segments on while it is made, to its end', async () => {
    // Encodes no faster than the video lasts, as a long one would, and tells how it can be held.
    const pid = place.join('pid');
    const slow = await script(
      place.join('ffmpeg'),
      `case "$*" in *"-f hls"*) echo $$ > ${pid}; exec ${FFMPEG} -re "$@";; *) exec ${FFMPEG} "$@";; esac`,
    );
    await using server = await startTestServer({ FFMPEG_PATH: slow });
    const { id } = await submit(server, { tv: { type: 'hls', segmentSeconds: 2 } });
    const live = await eventually('the stream goes live', async () => {
      const job = (await (await server.request(`/v1/jobs/${id}`)).json()) as JobView;
      return job.outputs[0]?.url ? job : undefined;
    });
    expect(live.status).toBe('running');
    // However long the browser takes to begin.
    const encoder = Number(await readFile(pid, 'utf8'));
    process.kill(encoder, 'SIGSTOP');
    await using player = await openPlayerPage(browser, { origin: server.url });
    const film = await playHls(player, urlOf(live, 'tv'), { startPosition: 0 });
    expect((await film.facts()).duration ?? 0).toBeLessThan(SECONDS - 1);
    process.kill(encoder, 'SIGCONT');
    await film.complete();
    const end = await film.playUntil('end', 4);
    expect(end.ended).toBe(true);
    expect(end.duration).toBeCloseTo(SECONDS, 0);
    expect(faultsAmong(await film.errors())).toEqual([]);
    await server.finished({ id });
  });
});
