// Several tracks of sound in one file, and text beside it.

import { readFile } from 'node:fs/promises';
import { matchSounds } from './align.ts';
import { checkBytes, checkClipPrivacy } from './check-privacy.ts';
import { checkSync } from './check-clip.ts';
import { lookAt, RATE, soundOf, streamsOf } from './look.ts';
import type { Result } from './matrix.ts';
import type { Findings } from './report.ts';
import type { Truth } from './truth.ts';

export async function checkTracks(result: Result, truth: Truth, found: Findings): Promise<void> {
  const [path = '', ...texts] = result.paths;
  const there = streamsOf(await lookAt(path), 'audio');
  const wanted = streamsOf(truth.looked, 'audio');
  found.within('number of tracks of sound', there.length, wanted.length, wanted.length);
  await checkClipPrivacy(path, truth.looked, found);
  for (const [index, { tags }] of there.entries()) {
    const language = wanted[index]?.tags?.['language'];
    found.check(
      (tags?.['language'] ?? 'und') === (language ?? 'und'),
      `track ${index + 1} is in ${tags?.['language']}`,
    );
    const source = await soundOf(truth.path, { stream: `a:${index}` });
    const samples = await soundOf(path, { stream: `a:${index}`, absolute: true });
    const end = samples.length / RATE;
    for (const [place, stretch] of [
      ['start', { from: 0, to: Math.min(3, end) }],
      ['end', { from: Math.max(0, end - 3), to: end }],
    ] as const) {
      const heard = matchSounds(source, samples, stretch);
      if (heard !== null) checkSync(heard, 0, `${place} of track ${index + 1}`, found);
    }
  }
  const subtitles = streamsOf(truth.looked, 'subtitle').length;
  found.within('number of texts', texts.length, subtitles, subtitles);
  for (const text of texts) {
    const content = await readFile(text, 'utf8');
    found.check(content.startsWith('WEBVTT\n'), 'has a text that is no WebVTT');
    found.check(/^\d+:\d+\.\d+ --> \d+:\d+\.\d+\n\S/m.test(content), 'has a text without words');
    await checkBytes(text, truth.looked, found);
  }
}
