// The mark of a file: the same for the same bytes, another for a change at its ends or in its middle.

import { describe, expect, it } from 'vitest';
import { fingerprint, isMarked } from '../../src/lib/fingerprint.ts';

it('of nothing is a mark, too', () => {
  expect(fingerprint(new Uint8Array())).toMatch(/^0-/);
});

describe.each([1, 10, 48 * 1024, 48 * 1024 + 1, 1_000_000])('of %i bytes', (length) => {
  const bytes = Uint8Array.from({ length }, (_, index) => (index * 7919) % 251);

  it('is short, and always the same', () => {
    expect(fingerprint(bytes)).toBe(fingerprint(Buffer.from(bytes)));
    expect(fingerprint(bytes)).toMatch(/^\d+-[\w-]{27}$/);
    expect(isMarked(bytes, fingerprint(bytes))).toBe(true);
  });

  it('changes with the beginning, the middle and the end, and with the length', () => {
    const marks = [0, length >> 1, length - 1].map((at) => {
      const changed = Uint8Array.from(bytes);
      changed[at] = 255 - changed[at]!;
      return fingerprint(changed);
    });
    marks.push(fingerprint(bytes), fingerprint(bytes.subarray(0, -1)));
    expect(new Set(marks).size).toBe(length === 1 ? 3 : 5);
    expect(marks.slice(0, 3).some((mark) => isMarked(bytes, mark))).toBe(false);
  });
});
