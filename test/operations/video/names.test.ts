import { expect, it } from 'vitest';
import { codecName } from '../../../src/operations/video/names.ts';

it.each([
  ['h264', 'H.264'],
  ['gif', 'GIF'],
  ['prores', 'ProRes'],
  ['mpeg2video', 'MPEG-2'],
  ['mpeg4', 'MPEG-4 part 2'],
  ['theora', 'Theora'],
  ['flac', 'FLAC'],
  ['ac3', 'AC-3'],
  ['pcm_s16le', 'PCM'],
  ['nobody_knows', 'nobody_knows'],
])('%s is called %s', (codec, name) => {
  expect(codecName(codec)).toBe(name);
});
