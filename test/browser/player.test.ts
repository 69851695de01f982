// The player's page itself: what FFmpeg writes plays in it, and what is broken is said to be.

import { cp, writeFile } from 'node:fs/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ffmpeg, folder } from '../engines/video-fixtures.ts';
import type { Folder } from '../engines/video-fixtures.ts';
import { browserIsMissing, openBrowser } from './browser.ts';
import { colourOf } from './film-colour.ts';
import { faultsAmong, openPlayerPage, playFile, playHls } from './player-page.ts';
import type { Level } from './player-page.ts';

const SECONDS = 8;
/** Its left half is red until 4 s, blue from then on. */
const PICTURE = [
  `testsrc2=size=640x360:rate=25:duration=${SECONDS}`,
  "drawbox=w=320:h=360:color=red:t=fill:enable='lt(t,4)'",
  "drawbox=w=320:h=360:color=blue:t=fill:enable='gte(t,4)'",
].join(',');
const SOURCE = [
  ...['-f', 'lavfi', '-i', PICTURE],
  ...['-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${SECONDS}`],
];
const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '50'];

/** master.m3u8 with `high` (640×360), `low` (320×180) and the sound `sound`; segments of two seconds. */
async function writeLadder(place: Folder): Promise<void> {
  await ffmpeg(
    ...SOURCE,
    ...['-filter_complex', '[0:v]split[high][half];[half]scale=320:180[low]'],
    ...['-map', '[high]', '-map', '[low]', '-map', '1:a', ...H264],
    ...['-b:v:0', '800k', '-b:v:1', '200k', '-sc_threshold', '0', '-c:a', 'aac'],
    ...['-f', 'hls', '-hls_time', '2', '-hls_playlist_type', 'vod', '-hls_flags', 'independent_segments'],
    ...['-hls_segment_type', 'fmp4', '-hls_fmp4_init_filename', '%v.init.mp4'],
    ...['-hls_segment_filename', place.join('%v.%05d.m4s'), '-master_pl_name', 'master.m3u8'],
    ...[
      '-var_stream_map',
      'v:0,agroup:a,name:high v:1,agroup:a,name:low a:0,agroup:a,name:sound,default:yes',
    ],
    place.join('%v.m3u8'),
  );
}

/** film.mp4 and film.webm of the same picture and sound. */
async function writeFiles(place: Folder): Promise<void> {
  await ffmpeg(...SOURCE, ...H264, '-c:a', 'aac', '-movflags', '+faststart', place.join('film.mp4'));
  const vp9 = ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '500k', '-g', '50'];
  await ffmpeg(...SOURCE, ...vp9, '-c:a', 'libopus', place.join('film.webm'));
}

/** A media playlist over segments of the ladder. */
function playlist(segments: readonly number[], end: '' | '#EXT-X-ENDLIST' = '#EXT-X-ENDLIST'): string {
  return [
    ...['#EXTM3U', '#EXT-X-VERSION:7', '#EXT-X-TARGETDURATION:2', '#EXT-X-PLAYLIST-TYPE:EVENT'],
    ...['#EXT-X-MEDIA-SEQUENCE:0', '#EXT-X-MAP:URI="low.init.mp4"'],
    ...segments.flatMap((number) => ['#EXTINF:2,', `low.0000${number}.m4s`]),
    ...[end, ''],
  ].join('\n');
}

// Each has a page of its own, and plays in its own time.
describe.skipIf(browserIsMissing()).concurrent('in a real browser', () => {
  let browser: Browser;
  let place: Folder;

  beforeAll(async () => {
    place = await folder();
    [browser] = await Promise.all([openBrowser(), writeLadder(place), writeFiles(place)]);
  });
  afterAll(async () => {
    await browser.close();
    await place[Symbol.asyncDispose]();
  });

  it('an HLS ladder plays, switches rungs and seeks', async () => {
    await using player = await openPlayerPage(browser, { folder: place.path });
    const film = await playHls(player, 'master.m3u8', { startLevel: 1 });
    expect(await film.facts()).toMatchObject({ level: 1, height: 360 });

    const levels = await film.levels();
    expect(levels).toMatchObject([
      { index: 0, width: 320, height: 180, path: '/media/low.m3u8' },
      { index: 1, width: 640, height: 360, path: '/media/high.m3u8' },
    ]);
    expect((await film.tracks()).audio).toHaveLength(1);
    const [low, high] = levels as [Level, Level];

    for (const level of [low, high]) {
      expect(await film.switchTo(level)).toMatchObject({ level: level.index, height: level.height });
    }
    expect(player.asked).toContainEqual({ path: '/media/low.00000.m4s', range: undefined, status: 200 });

    const { frameSeconds, height } = await film.seek(5.02);
    expect(frameSeconds).toBeCloseTo(5, 5);
    expect(height).toBe(360);
    expect(await colourOf(film)).toBe('blue');
    await film.seek(3);
    expect(await colourOf(film)).toBe('red');

    // Over the border of two segments.
    const before = await film.facts();
    const after = await film.playUntil(4.5, 2);
    expect(after.frames - before.frames).toBeGreaterThan(20);
    expect(after.audioBytes).toBeGreaterThan(before.audioBytes);
    expect(await colourOf(film)).toBe('blue');

    await film.seek(7);
    const end = await film.playUntil('end', 4);
    expect(end.duration).toBeCloseTo(SECONDS, 0);
    expect(end.ended).toBe(true);
    expect(faultsAmong(await film.errors())).toEqual([]);
  });

  it.each(['film.mp4', 'film.webm'])('%s plays by <video>', async (name) => {
    await using player = await openPlayerPage(browser, { folder: place.path });
    const film = await playFile(player, name);
    expect(await film.facts()).toMatchObject({ width: 640, height: 360, level: null, paused: true });
    expect(await colourOf(film)).toBe('red');
    const { frameSeconds } = await film.seek(7);
    // WebM with Opus starts some milliseconds late, so it may be the frame before.
    expect(frameSeconds).toBeCloseTo(7, 1);
    expect(await colourOf(film)).toBe('blue');
    const { audioBytes, ended } = await film.playUntil('end', 4);
    expect(ended).toBe(true);
    expect(audioBytes).toBeGreaterThan(0);
    expect(await film.errors()).toEqual([]);
    expect(player.asked).toContainEqual({ path: `/media/${name}`, range: 'bytes=0-', status: 206 });
  });

  it('a playlist that is still written is followed to its end', async () => {
    await using growing = await folder();
    await cp(place.path, growing.path, { recursive: true });
    await writeFile(growing.join('growing.m3u8'), playlist([0, 1], ''));
    await using player = await openPlayerPage(browser, { folder: growing.path });
    const film = await playHls(player, 'growing.m3u8', { startPosition: 0 });
    expect((await film.facts()).duration).toBe(4);
    await writeFile(growing.join('growing.m3u8'), playlist([0, 1, 2, 3]));
    expect((await film.complete()).duration).toBeCloseTo(SECONDS, 1);
  });

  it('a missing segment is an error, and the wait for what is in it ends with that', async () => {
    await writeFile(place.join('first-missing.m3u8'), playlist([9, 1, 2]));
    await writeFile(place.join('second-missing.m3u8'), playlist([0, 9]));
    await using player = await openPlayerPage(browser, { folder: place.path });
    await expect(playHls(player, 'first-missing.m3u8')).rejects.toThrow('fragLoadError');

    // So that it is only asked for once the film plays.
    const little = { maxBufferLength: 1, maxMaxBufferLength: 1 };
    const film = await playHls(player, 'second-missing.m3u8', little);
    await expect(film.playUntil('end', 4)).rejects.toThrow('fragLoadError');
    expect(await film.errors()).toContainEqual(
      expect.objectContaining({
        from: 'hls',
        fatal: true,
        what: 'fragLoadError',
        status: 404,
        path: '/media/low.00009.m4s',
      }),
    );
  });

  it('a file that is not there or not a film is an error', async () => {
    await using player = await openPlayerPage(browser, { folder: place.path });
    for (const name of ['none.mp4', 'master.m3u8.mp4']) {
      await writeFile(place.join('master.m3u8.mp4'), 'not a film');
      await expect(playFile(player, name)).rejects.toThrow('MediaError 4');
    }
    expect(() => player.pathOf('https://elsewhere.example/film.mp4')).toThrow('neither');
  });

  it('what it can decode is known', async () => {
    await using player = await openPlayerPage(browser, { folder: place.path });
    expect(await player.supports('video/mp4; codecs="avc1.640028, mp4a.40.2"')).toEqual({
      stream: true,
      file: true,
    });
    expect(await player.supports('video/mp4; codecs="none.1"')).toEqual({ stream: false, file: false });
  });
});
