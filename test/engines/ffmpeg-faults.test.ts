import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { JobAborted } from '../../src/contracts.ts';
import { videoOutputSchema } from '../../src/operations/video.ts';
import type { Folder } from './video-fixtures.ts';
import { ASK_THE_REAL, engine, ffmpeg, folder, H264, produce, script } from './video-fixtures.ts';

let place: Folder;
let source: string;
let recorder: string;
let pidFile: string;

/** Takes long: VP9 at its most careful. */
const SLOW = { video: { type: 'transcode', format: 'webm', effort: 'small', quality: 100 } };

beforeAll(async () => {
  place = await folder();
  source = place.join('slow.mp4');
  await ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=30:duration=20', ...H264, source);
  pidFile = place.join('pid');
  // `exec` keeps the pid: it is FFmpeg's own.
  recorder = await script(
    place.join('recording-ffmpeg'),
    `${ASK_THE_REAL}\necho $$ > '${pidFile}'\nexec ffmpeg "$@"`,
  );
});
afterAll(() => place[Symbol.asyncDispose]());

async function recordedPid(): Promise<number> {
  return Number(await readFile(pidFile, 'utf8'));
}

/** A negative pid asks for the whole group. Linux shows the dead whom nobody has fetched yet: those do not count. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !/\) Z /.test(readFileSync(stat, 'utf8'));
}

describe('an abort', () => {
  it('ends FFmpeg before it is answered, and leaves nothing in its group', async () => {
    const videos = engine({ ffmpegPath: recorder });
    const aborter = new AbortController();
    const reason = new JobAborted('cancelled');
    const making = produce(videos, place, source, SLOW, {
      signal: aborter.signal,
      onProgress: () => aborter.abort(reason),
    });
    await expect(making).rejects.toBe(reason);
    const pid = await recordedPid();
    expect(isAlive(pid)).toBe(false);
    expect(isAlive(-pid)).toBe(false);
    await videos.close();
  });

  it('that comes before the work starts nothing', async () => {
    const videos = engine({ ffmpegPath: place.join('never-started') });
    const reason = new JobAborted('handed_back');
    await expect(produce(videos, place, source, SLOW, { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    await videos.close();
  });

  it('ends also what ignores SIGTERM, with all of its group', async () => {
    const deaf = await script(
      place.join('deaf-ffmpeg'),
      [
        ASK_THE_REAL,
        "trap '' TERM",
        `sh -c 'echo $$ > "${pidFile}"; while :; do sleep 60; done' &`,
        `while [ ! -s '${pidFile}' ]; do sleep 0.05; done`,
        'printf "out_time_us=1000000\\nprogress=continue\\n" >&3',
        'wait',
      ].join('\n'),
    );
    await writeFile(pidFile, '');
    const videos = engine({ ffmpegPath: deaf });
    const aborter = new AbortController();
    const making = produce(videos, place, source, SLOW, {
      signal: aborter.signal,
      onProgress: () => aborter.abort(),
    });
    await expect(making).rejects.toMatchObject({ name: 'AbortError' });
    expect(isAlive(await recordedPid())).toBe(false);
    await videos.close();
  });

  it('by close is told as a stop', async () => {
    const videos = engine({ ffmpegPath: recorder });
    const started = Promise.withResolvers<void>();
    const making = produce(videos, place, source, SLOW, { onProgress: () => started.resolve() });
    const failed = expect(making).rejects.toMatchObject({ code: 'shutting_down' });
    await started.promise;
    await videos.close();
    expect(isAlive(await recordedPid())).toBe(false);
    await failed;
  });
});

describe('an encode', () => {
  it('that takes too long is stopped', async () => {
    const videos = engine({ ffmpegPath: recorder, timeoutSeconds: 0.5 });
    await expect(produce(videos, place, source, SLOW)).rejects.toMatchObject({ code: 'encode_timeout' });
    expect(isAlive(await recordedPid())).toBe(false);
    await videos.close();
  });

  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'that is ended by %s from outside may be tried again',
    async (signal) => {
      const videos = engine({ ffmpegPath: recorder });
      let isSent = false;
      const making = produce(videos, place, source, SLOW, {
        onProgress: () => {
          if (isSent) return;
          isSent = true;
          void recordedPid().then((pid) => process.kill(pid, signal));
        },
      });
      await expect(making).rejects.toMatchObject({ code: 'encoder_killed', kind: { retryJob: true } });
      await videos.close();
    },
  );

  it('tells how far it is, and how long it will take', async () => {
    const videos = engine({ ffmpegPath: recorder });
    const aborter = new AbortController();
    const updates: { progress: number; speed: number | null; etaSeconds: number | null }[] = [];
    const scratch = place.path;
    const making = videos.produce({
      source: { path: source, mediaType: 'video/mp4' },
      outputs: {
        video: videoOutputSchema.parse({ type: 'transcode', effort: 'small', encode: 'always' }),
      },
      scratch,
      signal: aborter.signal,
      onSource: () => {},
      onProgress: (update) => {
        updates.push(update);
        if (update.etaSeconds !== null && update.speed !== null) aborter.abort();
      },
    });
    await expect(making).rejects.toMatchObject({ name: 'AbortError' });
    const last = updates.at(-1);
    expect(last?.progress).toBeGreaterThan(0);
    expect(last?.speed).toBeGreaterThan(0);
    expect(last?.etaSeconds).toBeGreaterThan(0);
    await videos.close();
  });
});

// setpriv is Linux's; BusyBox has one that cannot do this.
const hasSetpriv = process.platform === 'linux' && existsSync('/usr/bin/setpriv');

describe.skipIf(!hasSetpriv)('a parent that is killed', () => {
  it('takes its FFmpeg along', async () => {
    const program = place.join('parent.ts');
    const at = join(import.meta.dirname, 'video-fixtures.ts');
    await writeFile(
      program,
      [
        `import { engine, folder, produce } from ${JSON.stringify(at)};`,
        `await produce(engine({ ffmpegPath: ${JSON.stringify(recorder)} }), await folder(), ${JSON.stringify(source)},`,
        `  ${JSON.stringify(SLOW)}, { onProgress: () => process.stdout.write('.') });`,
      ].join('\n'),
    );
    const parent = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => parent.stdout.once('data', resolve));
    const pid = await recordedPid();
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 5000, interval: 20 });
  });
});
