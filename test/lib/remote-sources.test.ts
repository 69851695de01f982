import { describe, expect, it } from 'vitest';
import { parseRemoteSources } from '../../src/lib/remote-sources.ts';

const allows = (list: string, url: string): boolean => parseRemoteSources(list)(new URL(url));

describe('the allow list of remote sources', () => {
  it.each([
    ['example.com', 'https://example.com/a.jpg'],
    ['example.com', 'https://EXAMPLE.com:443/a.jpg?size=1'],
    ['other.org, example.com', 'https://example.com/a.jpg'],
    ['example.com:8443', 'https://example.com:8443/a.jpg'],
    ['*.example.com', 'https://img.example.com/a.jpg'],
    ['*.example.com', 'https://a.b.example.com/a.jpg'],
    ['https://example.com/images/', 'https://example.com/images/a.jpg'],
    ['https://example.com/images', 'https://example.com/images/a.jpg'],
    ['https://example.com', 'https://example.com/anything'],
    ['https://example.com/o/', 'https://example.com/o/folder%2Fa.jpg'],
    ['[2606:4700::1]', 'https://[2606:4700::1]/a.jpg'],
  ])('%s takes %s', (list, url) => expect(allows(list, url)).toBe(true));

  it.each([
    ['example.com', 'http://example.com/a.jpg'],
    ['example.com', 'https://example.com:8443/a.jpg'],
    ['example.com', 'https://www.example.com/a.jpg'],
    ['example.com', 'https://example.com.evil.org/a.jpg'],
    ['example.com', 'https://evilexample.com/a.jpg'],
    ['example.com', 'https://evil.org/?example.com'],
    ['*.example.com', 'https://example.com/a.jpg'],
    ['*.example.com', 'https://evilexample.com/a.jpg'],
    ['https://example.com/images', 'https://example.com/images-secret/a.jpg'],
    ['https://example.com/images/', 'https://example.com/images/../secret/a.jpg'],
    ['https://example.com/images/', 'https://example.com/images/%2e%2e/secret/a.jpg'],
    ['https://example.com/images/', 'https://example.com/images/..%2Fsecret/a.jpg'],
    ['https://example.com/images/', 'https://example.com/images/x%2f..%2fa.jpg'],
    ['https://example.com/images/', 'https://example.com/images/..%5csecret'],
    ['', 'https://example.com/a.jpg'],
  ])('%s refuses %s', (list, url) => expect(allows(list, url)).toBe(false));

  it.each([
    ['http://example.com', 'is not https'],
    ['ftp://example.com', 'neither a host'],
    ['*', 'neither a host'],
    ['*.com.', 'neither a host'],
    ['auto', 'neither a host'],
    ['exa mple.com', 'neither a host'],
    ['https://user@example.com/', 'not the beginning'],
    ['https://example.com/?a', 'not the beginning'],
    ['fine.com, *', '"*" is neither'],
  ])('%s is a mistake', (list, why) => expect(() => parseRemoteSources(list)).toThrow(why));
});
