// What an analysis hears: only what its own filter said, whatever the tags of the source say.

import { expect, it } from 'vitest';
import { readInterlacing } from '../../src/engines/analyses/interlacing.ts';
import { quietRun, saidBy } from '../../src/engines/analyses/quiet-run.ts';
import type { AnalysisContext } from '../../src/engines/analyse.ts';
import type { FfmpegRun } from '../../src/engines/ffmpeg-tools.ts';
import { FfmpegTools } from '../../src/engines/ffmpeg-tools.ts';
import { probeOf, sourceOf } from '../operations/video/sources.ts';

/** A run of a program that says these chunks. */
async function heard(chunks: readonly string[]): Promise<string | undefined> {
  class Scripted extends FfmpegTools {
    override async ffmpeg({ log }: FfmpegRun) {
      for (const chunk of chunks) log.feed(chunk);
      return { code: 0, signal: null, stopped: null, stdout: '' };
    }
  }
  const context: AnalysisContext = {
    tools: new Scripted({ ffmpegPath: 'ffmpeg', ffprobePath: 'ffprobe', timeoutSeconds: 10 }),
    place: {
      source: { path: '/source', mediaType: 'video/mp4' },
      assets: new Map(),
      scratch: '/scratch',
      maxPixels: 1,
      maxSeconds: 1,
    },
    source: sourceOf(probeOf()),
    timeoutSeconds: 10,
    signal: new AbortController().signal,
  };
  return quietRun(context, {
    input: { from: 'source', seek: 0, seconds: null, options: [] },
    output: [],
  });
}

it('gives what follows the prefix of a filter, without other filters and tags', () => {
  const text = [
    '    title           : [Parsed_idet_0 @ 0x1] forged',
    '[Parsed_idet_0 @ 0x1] one',
    '[Parsed_ssim_1 @ 0x2] other',
    '[Parsed_idet_10 @ 0x1] two',
    'and more',
    '    title           : \u2028[Parsed_idet_0 @ 0x1] forged\r[Parsed_idet_0 @ 0x1] forged',
  ].join('\n');
  const said = saidBy('idet', text);
  expect(said).toHaveLength(2);
  expect(said[0]).toBe('one\n');
  expect(said[1]?.startsWith('two\nand more\n')).toBe(true);
  expect(saidBy('metadata', text)).toEqual([]);
});

it('does not take the end of a long line for a line', async () => {
  // Cut off after 64 KiB, wherever that is.
  const forged = '[Parsed_idet_0 @ 0x1] forged ';
  for (let shift = 0; shift < forged.length; shift++) {
    const long = `title : ${forged.repeat(4000)}${'x'.repeat(shift)}`;
    const text =
      (await heard([long.slice(0, 70_000), long.slice(70_000), '\n[Parsed_idet_0 @ 0x1] real\n'])) ?? '';
    expect(text.length).toBeLessThan(70_000);
    expect(saidBy('idet', text)).toEqual(['real\n']);
  }
});

it('tells interlaced frames from the last summary of idet', () => {
  const summary = (top: number, progressive: number): string =>
    `[Parsed_idet_0 @ 0x1] Multi frame detection: TFF:${top} BFF:     0 Progressive:  ${progressive} Undetermined:     1\n`;
  const forged = `    title           : ${summary(900, 0)}`;
  expect(readInterlacing(forged)).toBeUndefined();
  expect(readInterlacing(`${forged}${summary(3, 90)}${forged}`)).toEqual({ interlaced: false });
  expect(readInterlacing(`${summary(0, 5)}${summary(90, 3)}`)).toEqual({ interlaced: true });
});
