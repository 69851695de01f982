// What libvips says when it fails, as a problem for people. Its errors have no code, so there is only the text.

import { Problem } from '../problems.ts';

/** When it failed: while the source was decoded, or later, with pixels of our own making. */
export type Phase = 'decoding' | 'afterwards';

/** `label`: the source's format as people write it, e.g. `JPEG`. */
export function decoderProblem(error: unknown, phase: Phase, label: string): Problem {
  const text = error instanceof Error ? error.message : String(error);
  if (text.includes('exceeds pixel limit')) {
    return new Problem(
      'image_too_large',
      'The image turned out to have more pixels than its header says, and than are allowed.',
      { cause: error },
    );
  }
  if (text.includes('too large for the')) {
    return new Problem('rendition_too_large', `${sentence(text)} Resize it to less.`, { cause: error });
  }
  if (text.includes('extract_area')) {
    return new Problem(
      'crop_outside',
      'The crop lies outside of the image. Choose left + width and top + height within its width and height.',
      { cause: error },
    );
  }
  if (phase === 'afterwards') return Problem.from(error);
  return new Problem(
    'image_unreadable',
    `The ${label} cannot be decoded: ${reason(text)}. Send a whole, undamaged file.`,
    { cause: error },
  );
}

/** What libvips says of itself around the real reason. */
const NOISE = /^(?:source: bad seek|vips2\w+:|wbuffer|unable to write)/;

/** The first reason, without the function that gave it, paths or control characters. */
function reason(text: string): string {
  const lines = text
    .replace(/^Input (?:buffer|Buffer) (?:has corrupt header: )?/, '')
    .split('\n')
    .filter((line) => !NOISE.test(line))
    .map((line) =>
      line
        .replace(/^\w+: /, '')
        .replace(/(?:\/[\w.-]+){2,}/g, 'a file')
        .replace(/[^\x20-\x7e]/g, '')
        .trim(),
    )
    .filter((line) => line !== '');
  return (lines[0] ?? 'it is damaged').replace(/\.$/, '').slice(0, 200);
}

function sentence(text: string): string {
  return `${reason(text)}.`;
}
