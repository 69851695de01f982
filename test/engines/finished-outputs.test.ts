// Outputs are handed over one by one, as soon as each is finished, and none of them is made twice.

import { copyFile, readFile, rename, stat, truncate } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProducedOutput } from '../../src/engine-contracts.ts';
import { clipFixture } from '../support/fixtures.ts';
import { engine, ffmpeg, folder, look, produce, script } from './video-fixtures.ts';
import type { Folder } from './video-fixtures.ts';

let place: Folder;
beforeAll(async () => {
  place = await folder();
});
afterAll(() => place[Symbol.asyncDispose]());

/** Calls of FFmpeg that write a file of an output, and outputs handed over, in their order. */
function watched(): {
  readonly order: string[];
  readonly taken: Map<string, ProducedOutput>;
  ffmpegPath(): Promise<string>;
  readonly onOutput: (name: string, output: ProducedOutput) => Promise<void>;
} {
  const calls = place.join(`calls-${crypto.randomUUID()}`);
  const order: string[] = [];
  const taken = new Map<string, ProducedOutput>();
  return {
    order,
    taken,
    ffmpegPath: () =>
      script(`${calls}.sh`, `case "$*" in *"-progress"*) echo run >> "${calls}";; esac\nexec ffmpeg "$@"`),
    async onOutput(name, output) {
      const begun = await readFile(calls, 'utf8').catch(() => '');
      order.push(`${name} after ${begun.split('\n').length - 1}`);
      taken.set(name, output);
      // As whoever keeps them does.
      for (const { path } of output.files) if (path !== null) await rename(path, `${path}.kept`);
    },
  };
}

describe('outputs of several runs', () => {
  it('are handed over before the next run begins, what needs none at once', async () => {
    const seen = watched();
    const videos = engine({ ffmpegPath: await seen.ffmpegPath() });
    const clip = await clipFixture({ seconds: 6, width: 320, height: 180, codecs: 'old', container: 'mkv' });
    const { files } = await produce(
      videos,
      place,
      clip,
      {
        late: { type: 'transcode', start: 4, end: 5 },
        early: { type: 'transcode', start: 0, end: 1 },
        facts: { type: 'probe' },
      },
      { mediaType: 'video/x-matroska', onOutput: seen.onOutput },
    );
    expect(seen.order).toEqual(['facts after 0', 'early after 1', 'late after 2']);
    expect(Object.keys(files)).toEqual(['late', 'early', 'facts']);
    for (const [name, { path: _, ...output }] of Object.entries(files))
      expect(seen.taken.get(name)).toEqual(output);
    const kept = `${files['early']?.path}.kept`;
    expect((await look(kept)).streams).toHaveLength(2);
    await videos.close();
  });

  it('stay as they are when others are made anew', async () => {
    const seen = watched();
    const videos = engine({ ffmpegPath: await seen.ffmpegPath() });
    // Web-ready, its end missing: a copy of it does not pass its check, its beginning is sound.
    const path = place.join('cut-off.mp4');
    const plain = place.join('plain.mp4');
    await copyFile(await clipFixture({ seconds: 8, width: 320, height: 180 }), plain);
    await ffmpeg('-i', plain, '-c', 'copy', '-movflags', '+faststart', path);
    await truncate(path, Math.round((await stat(path)).size * 0.7));
    let restarts = 0;
    const { files, warnings } = await produce(
      videos,
      place,
      path,
      {
        whole: { type: 'transcode' },
        start: { type: 'transcode', encode: 'always', height: 90, start: 0, end: 2 },
      },
      { onOutput: seen.onOutput, onRestart: () => void restarts++ },
    );
    expect(restarts).toBe(1);
    // Encoded, copied in vain, encoded.
    expect(seen.order).toEqual(['start after 1', 'whole after 3']);
    expect(files['whole']?.decisions.join()).toContain('a copy of it did not pass its check');
    expect(warnings.join()).toContain('breaks off');
    expect((await look(`${files['start']?.path}.kept`)).format.duration).toMatch(/^2\.0/);
    await videos.close();
  });

  it('are not handed over if the one who takes them cannot, which ends the work', async () => {
    const videos = engine();
    const clip = await clipFixture({ seconds: 1, width: 320, height: 180 });
    let times = 0;
    const making = produce(
      videos,
      place,
      clip,
      { facts: { type: 'probe' }, video: { type: 'transcode' } },
      {
        async onOutput() {
          times++;
          throw new Error('no room');
        },
      },
    );
    await expect(making).rejects.toThrow('no room');
    expect(times).toBe(1);
    await videos.close();
  });
});
