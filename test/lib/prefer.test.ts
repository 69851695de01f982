import { expect, it } from 'vitest';
import { parsePrefer } from '../../src/lib/prefer.ts';

it.each([
  [undefined, { respondAsync: false, wait: undefined }],
  ['respond-async', { respondAsync: true, wait: undefined }],
  ['Respond-Async, wait=10', { respondAsync: true, wait: 10 }],
  ['wait="5"; x=1', { respondAsync: false, wait: 5 }],
  ['wait=5, wait=9', { respondAsync: false, wait: 5 }],
  ['wait=-5', { respondAsync: false, wait: undefined }],
  ['handling=lenient', { respondAsync: false, wait: undefined }],
])('%j', (header, preferences) => {
  expect(parsePrefer(header)).toEqual(preferences);
});
