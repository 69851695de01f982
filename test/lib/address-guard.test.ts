import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { AddressRefused, guardedLookup, isPublicAddress } from '../../src/lib/address-guard.ts';

describe('isPublicAddress', () => {
  it.each(['1.1.1.1', '93.184.216.34', '8.8.8.8', '2606:4700:4700::1111', '2a00:1450:4001:801::200e'])(
    'takes %s',
    (address) => expect(isPublicAddress(address)).toBe(true),
  );

  it.each([
    ['unspecified', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.255.254'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['link-local: cloud metadata', '169.254.169.254'],
    ['CGNAT', '100.64.0.1'],
    ['CGNAT: cloud metadata', '100.100.100.200'],
    ['protocol assignments: cloud metadata', '192.0.0.192'],
    ['documentation', '192.0.2.1'],
    ['documentation', '198.51.100.1'],
    ['documentation', '203.0.113.1'],
    ['benchmarking', '198.18.0.1'],
    ['6to4 relays', '192.88.99.1'],
    ['multicast', '224.0.0.1'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['unspecified', '::'],
    ['loopback', '::1'],
    ['v4-mapped', '::ffff:127.0.0.1'],
    ['v4-mapped, of a public one', '::ffff:8.8.8.8'],
    ['v4-compatible', '::127.0.0.1'],
    ['v4-compatible', '::808:808'],
    ['v4-translated', '::ffff:0:7f00:1'],
    ['NAT64', '64:ff9b::7f00:1'],
    ['NAT64, local', '64:ff9b:1::7f00:1'],
    ['6to4', '2002:7f00:1::'],
    ['Teredo', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
    ['documentation', '2001:db8::1'],
    ['documentation', '3fff::1'],
    ['ORCHID', '2001:20::1'],
    ['benchmarking', '2001:2::1'],
    ['discard', '100::1'],
    ['unique local', 'fd00:ec2::254'],
    ['unique local', 'fc00::1'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
    ['not given out', '4000::1'],
    ['segment routing', '5f00::1'],
    ['no address', 'localhost'],
    ['no address', ''],
    ['a number', '2130706433'],
  ])('refuses %s: %s', (_why, address) => expect(isPublicAddress(address)).toBe(false));
});

describe('guardedLookup', () => {
  const resolving = (...addresses: string[]) =>
    guardedLookup(isPublicAddress, (_host, _options, done) =>
      done(
        null,
        addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
      ),
    );
  const ask = (lookup: ReturnType<typeof guardedLookup>, all: boolean) =>
    new Promise((resolve, reject) => {
      lookup('example.com', { all }, (error, address, family) =>
        error === null ? resolve(all ? address : [address, family]) : reject(error),
      );
    });

  it('gives what the connection asks for: one address or all', async () => {
    const lookup = resolving('1.1.1.1', '2606:4700::1');
    expect(await ask(lookup, false)).toEqual(['1.1.1.1', 4]);
    expect(await ask(lookup, true)).toEqual([
      { address: '1.1.1.1', family: 4 },
      { address: '2606:4700::1', family: 6 },
    ]);
  });

  it.each([[['127.0.0.1']], [['1.1.1.1', '10.0.0.1']], [[]]])('refuses a host with %j', async (addresses) => {
    await expect(ask(resolving(...addresses), true)).rejects.toThrow(AddressRefused);
    await expect(ask(resolving(...addresses), false)).rejects.toThrow(AddressRefused);
  });

  it('passes the failure of a lookup on', async () => {
    const failing = guardedLookup(isPublicAddress, (_host, _options, done) =>
      done(Object.assign(new Error('no such host'), { code: 'ENOTFOUND' }), []),
    );
    await expect(ask(failing, true)).rejects.toThrow('no such host');
  });
});
