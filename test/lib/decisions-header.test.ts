import { expect, it } from 'vitest';
import { decisionsHeader } from '../../src/lib/decisions-header.ts';

it('can be taken apart again, commas, percents and all', () => {
  const decisions = ['sound copied: AAC, stereo is web-ready', '100 % of 1920×1080, twice', 'one'];
  const header = decisionsHeader(decisions);
  expect(header).toMatch(/^[\x20-\x7e]*$/);
  expect(header.split(/, */).map(decodeURIComponent)).toEqual(decisions);
});

it('does not fail at half a character', () => {
  expect(decodeURIComponent(decisionsHeader(['named \ud800']))).toBe('named \ufffd');
});
