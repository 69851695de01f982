// Which addresses may be connected to for a client: those of the public internet and no others.

import ipaddr from 'ipaddr.js';
import { lookup as lookUp } from 'node:dns';
import type { LookupAddress, LookupOptions } from 'node:dns';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';

/** All of IPv6 that is given out to the public (IANA, IPv6 address space): IPv4-compatible addresses lie outside. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * Whether an IP address is public unicast. Not so: private, loopback, link-local, shared (CGNAT), multicast, reserved,
 * documentation and benchmarking addresses, and whatever hides an IPv4 address inside an IPv6 one (mapped, compatible,
 * NAT64, 6to4, Teredo), for the network it leads to is not the one it names.
 */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  return parsed instanceof ipaddr.IPv4 || parsed.match(GLOBAL_UNICAST);
}

/** The host's address may not be connected to. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
}

type Resolve = (
  hostname: string,
  options: LookupOptions & { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * A `lookup` for `net.connect`. What it looks at are the very addresses that are connected to, so a name that answers
 * differently the second time (DNS rebinding) gains nothing. A name with a single address that is not allowed is
 * refused altogether. Not asked for IP addresses: check those with `isPublicAddress`.
 */
export function guardedLookup(
  isAllowed: (address: string) => boolean = isPublicAddress,
  resolve: Resolve = lookUp,
): LookupFunction {
  return (hostname, options, done) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error !== null) done(error, '');
      else if (first === undefined || !addresses.every(({ address }) => isAllowed(address)))
        done(new AddressRefused(`${hostname} has an address that is not public`), '');
      else if (options.all === true) done(null, addresses);
      else done(null, first.address, first.family);
    });
  };
}
