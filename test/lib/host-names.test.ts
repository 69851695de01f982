import { expect, it } from 'vitest';
import { hostNameOf, parseHostNames } from '../../src/lib/host-names.ts';

it.each([
  ['Media.Example.com:8443', 'media.example.com'],
  ['localhost.', 'localhost'],
  ['127.1:3000', '127.0.0.1'],
  ['[::1]:3000', '[::1]'],
  ['', undefined],
  ['a@b', undefined],
  ['a b', undefined],
  ['a/b', undefined],
  ['[::1', undefined],
  ['[:::::1]', undefined],
  ['999.1.1.1', undefined],
])('%j names the host %j', (host, name) => {
  expect(hostNameOf(host)).toBe(name);
});

it('reads a list, and says which entry is wrong', () => {
  expect([...parseHostNames(' A.example, b.example:8443 ,')]).toEqual(['a.example', 'b.example']);
  expect(() => parseHostNames('a.example,https://b.example')).toThrow('"https://b.example" is no host');
});
