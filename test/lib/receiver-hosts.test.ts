import { describe, expect, it } from 'vitest';
import { parseReceiverHosts } from '../../src/lib/receiver-hosts.ts';

describe('receivers inside the network', () => {
  const isOwn = parseReceiverHosts('hooks, Intern.Example:8443,127.0.0.1:9000,[::1]:9000');

  it.each([
    'https://hooks/x',
    'http://hooks/',
    'https://intern.example:8443/',
    'http://INTERN.example:8443/',
    'http://127.0.0.1:9000/a?b',
    'http://127.1:9000/',
    'http://[::1]:9000/',
  ])('%s is one', (url) => {
    expect(isOwn(new URL(url))).toBe(true);
  });

  it.each([
    'https://hooks:8443/',
    'http://hooks:443/',
    'https://hooks.example/',
    'https://a.hooks/',
    'https://intern.example/',
    'ftp://hooks/',
    'http://127.0.0.1/',
    'http://127.0.0.2:9000/',
  ])('%s is none', (url) => {
    expect(isOwn(new URL(url))).toBe(false);
  });

  it.each(['*.example.com', 'https://hooks', 'a b', 'hooks:0', 'hooks:65536', 'me@hooks', 'hooks/path'])(
    'the entry %s is refused',
    (entry) => {
      expect(() => parseReceiverHosts(`fine,${entry}`)).toThrow('is neither a host nor host:port');
    },
  );
});
