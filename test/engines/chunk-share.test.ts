// An encode whose chunks other machines make: each task goes over as JSON and is planned anew by another engine.

import { mkdir, mkdtemp } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NoHelp } from '../../src/contracts.ts';
import type { JobContext } from '../../src/contracts.ts';
import type { VideoEngine } from '../../src/engine-contracts.ts';
import { chunkTaskSchema } from '../../src/operations/video/chunk-task.ts';
import { videoOutputSchema } from '../../src/operations/video.ts';
import { Problem } from '../../src/problems.ts';
import { complaintsAbout } from '../support/inspect.ts';
import { folderShelf, frameTimes, likeness, soundOf } from './chunk-fixtures.ts';
import type { FolderShelf } from './chunk-fixtures.ts';
import { AAC, content, engine, ffmpeg, folder, H264, produce } from './video-fixtures.ts';
import type { Folder, Made } from './video-fixtures.ts';

type Share = NonNullable<JobContext['share']>;
type Outputs = Record<string, object>;

const SECONDS = 20;
const WEBM = { type: 'transcode', format: 'webm', height: 36, effort: 'fast', crf: 50 };

let place: Folder;
let source: string;

beforeAll(async () => {
  place = await folder();
  source = place.join('source.mp4');
  await ffmpeg(
    ...['-f', 'lavfi', '-i', `testsrc2=size=128x72:rate=6:duration=${SECONDS}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:duration=${SECONDS}:sample_rate=48000`],
    ...[...H264, '-bf', '2', '-g', '100', ...AAC, source],
  );
});
afterAll(() => place[Symbol.asyncDispose]());

/** A fleet of other machines: each part is done by the next of them. */
function fleet(machines: readonly VideoEngine[], outputs: Outputs, shelf: FolderShelf) {
  const asked: string[][] = [];
  const parsed = Object.fromEntries(
    Object.entries(outputs).map(([name, output]) => [name, videoOutputSchema.parse(output)]),
  );
  const share: Share = async (parts, { kind, told, signal }) => {
    asked.push(parts.map(({ name }) => name));
    const aborter = new AbortController();
    for (const [number, { name, task }] of parts.entries()) {
      const machine = machines[number % machines.length] as VideoEngine;
      expect(await machine.chunkKind()).toBe(kind);
      await machine.encodeChunk({
        source: { path: source, mediaType: 'video/mp4' },
        outputs: parsed,
        scratch: await mkdtemp(place.join('elsewhere-')),
        task: chunkTaskSchema.parse(JSON.parse(JSON.stringify(task))),
        chunks: shelf,
        signal: signal ?? aborter.signal,
        onProgress: (progress, speed) => told(name, progress, speed),
      });
      told(name, 1, null);
    }
  };
  return { asked, share };
}

const shelfOf = (name: string): Promise<FolderShelf> => folderShelf(place.join(name));

describe('a VP9 whose chunks two other machines make', () => {
  const outputs = { video: WEBM, small: { ...WEBM, height: 18 } };
  let shared: Made;
  let alone: Made;
  let shelf: FolderShelf;
  let asked: string[][];

  beforeAll(async () => {
    shelf = await shelfOf('shared');
    // Neither has the cores of the machine that asks.
    const others = fleet([engine({ cores: 1 }), engine({ cores: 32 })], outputs, shelf);
    asked = others.asked;
    shared = await produce(engine({ cores: 4 }), place, source, outputs, {
      chunks: shelf,
      share: others.share,
    });
    const nobody: Share = async () => {
      throw new NoHelp('nobody is there');
    };
    const options = { chunks: await shelfOf('alone'), share: nobody };
    alone = await produce(engine({ cores: 2 }), place, source, outputs, options);
  });

  it('asks once for each, says so, and comes to every frame at its time', async () => {
    expect(asked).toEqual([[expect.stringMatching(/^[0-9a-f]{24}-0$/), expect.stringMatching(/-1$/)]]);
    expect(shelf.keeps).toHaveLength(4);
    expect(shared.files['video']?.decisions.join()).toContain(
      'encoded in 2 chunks of 10 s, by whatever machine',
    );
    const times = await frameTimes(shared.files['video']?.path ?? '');
    expect(times).toHaveLength(120);
    expect(await frameTimes(shared.files['small']?.path ?? '')).toEqual(times);
  });

  it('is to the bit what one machine alone makes of the same cut', async () => {
    for (const name of ['video', 'small']) {
      expect(await content(shared.files[name]?.path ?? '')).toBe(
        await content(alone.files[name]?.path ?? ''),
      );
    }
  });

  it('tells how far it is, without a step back', () => {
    expect(shared.progress).toEqual(shared.progress.toSorted((a, b) => a - b));
    expect(shared.progress.some((each) => each > 0.3 && each < 0.9)).toBe(true);
  });

  it('asks for nothing that is on the shelf already', async () => {
    const again = fleet([engine()], outputs, shelf);
    const made = await produce(engine(), place, source, outputs, { chunks: shelf, share: again.share });
    expect(again.asked).toEqual([[]]);
    expect(await content(made.files['video']?.path ?? '')).toBe(
      await content(alone.files['video']?.path ?? ''),
    );
  });

  it('makes what is said to be done and is not there', async () => {
    const lost = await shelfOf('lost');
    let asks = 0;
    const share: Share = async () => void asks++;
    const made = await produce(engine(), place, source, outputs, { chunks: lost, share });
    expect(asks).toBe(3);
    expect(await frameTimes(made.files['video']?.path ?? '')).toHaveLength(120);
  });
});

describe('what another machine is asked for', () => {
  it('is refused where it would come to other bytes', async () => {
    const shelf = await shelfOf('refused');
    const machine = engine();
    const ask = async (change: object): Promise<unknown> => {
      const outputs = { video: WEBM };
      const { share } = fleet([machine], outputs, shelf);
      const changed: Share = (parts, options) =>
        share(
          parts.map(({ name, task }) => ({ name, task: { ...(task as object), ...change } })),
          options,
        );
      let seen: unknown = null;
      const spy: Share = async (parts, options) => {
        seen = await changed(parts, options).catch((error: unknown) => error);
        throw new Problem('storage_full', 'enough');
      };
      await expect(
        produce(engine(), place, source, outputs, { chunks: shelf, share: spy }),
      ).rejects.toMatchObject({ code: 'storage_full' });
      return seen;
    };
    expect(await ask({ names: ['0'.repeat(24) + '-0-0.mp4'] })).toBeInstanceOf(NoHelp);
    expect(await ask({ outputs: ['another'] })).toBeInstanceOf(NoHelp);
    expect(await ask({ index: 7 })).toBeInstanceOf(NoHelp);
    expect(await ask({ frames: 50 })).toBeInstanceOf(NoHelp);
    // No option of FFmpeg has a place in it.
    expect(await ask({ graph: 'movie=/etc/passwd' })).toBeInstanceOf(Error);
    expect(shelf.keeps).toEqual([]);
  });

  it('goes back into one piece where a chunk does not fit', async () => {
    const shelf = await shelfOf('misfit');
    const share: Share = async () => {
      throw new Problem('encode_failed', 'a chunk does not fit: it has 3 frames, not 60');
    };
    const made = await produce(engine(), place, source, { video: WEBM }, { chunks: shelf, share });
    expect(made.files['video']?.decisions.join()).not.toMatch(/encoded in \d/);
    expect(await frameTimes(made.files['video']?.path ?? '')).toHaveLength(120);
  });

  it('stops when the sound cannot be encoded', async () => {
    const shelf = await shelfOf('mute');
    const aborter = new AbortController();
    const reason = new Error('enough');
    const share: Share = async (_, { signal }) => {
      aborter.abort(reason);
      await new Promise((_resolve, reject) => {
        if (signal?.aborted === true) reject(signal.reason as Error);
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      });
    };
    const options = { chunks: shelf, share, signal: aborter.signal };
    await expect(produce(engine(), place, source, { video: WEBM }, options)).rejects.toBe(reason);
  });
});

describe('other encoders', () => {
  it.each([
    ['AV1', { type: 'transcode', codec: 'av1', height: 72, effort: 'fast' }, SECONDS],
    ['HEVC', { type: 'transcode', codec: 'hevc', height: 72, effort: 'fast' }, 60],
  ])(
    '%s chunks are joined into a video that plays without a complaint',
    async (_, output, seconds) => {
      const long = place.join(`long-${seconds}.mp4`);
      await mkdir(place.path, { recursive: true });
      await ffmpeg('-stream_loop', `${seconds / SECONDS - 1}`, '-i', source, '-c', 'copy', long);
      const shelf = await shelfOf(`other-${seconds}`);
      const share: Share = async () => {
        throw new NoHelp('nobody is there');
      };
      const outputs = { video: { ...output, encode: 'always' } };
      const made = await produce(engine({ cores: 2 }), place, long, outputs, { chunks: shelf, share });
      const path = made.files['video']?.path ?? '';
      expect(shelf.keeps.length).toBeGreaterThan(1);
      expect(await frameTimes(path)).toHaveLength(6 * seconds);
      expect(await complaintsAbout(path)).toBe('');
      expect(await likeness(long, path)).toBeGreaterThan(0.85);
      expect(await soundOf(path)).not.toBe('');
    },
    60_000,
  );
});
