import { expect, it } from 'vitest';
import { readCookie } from '../../src/lib/cookie.ts';

it.each([
  ['a=1', '1'],
  ['b=2; a=1', '1'],
  ['b=2;a= 1 ;a=3', '1'],
  ['aa=2; a=x=y', 'x=y'],
  ['a=', ''],
  ['ba=1', undefined],
  ['a', undefined],
  ['=a', undefined],
  ['', undefined],
  [undefined, undefined],
])('reads %j', (header, value) => {
  expect(readCookie(header, 'a')).toBe(value);
});
