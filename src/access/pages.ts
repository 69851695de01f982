// Keeps other people's web pages from driving a server that asks nobody for a key: the browser is on this machine.

import { isLoopback } from '../config.ts';
import type { Config } from '../config.ts';
import { hostNameOf } from '../lib/host-names.ts';
import { Problem } from '../problems.ts';

export interface PageRequest {
  readonly method: string;
  /** As a proxy that is believed names it. */
  readonly host: string;
  readonly headers: {
    readonly host?: string | undefined;
    readonly origin?: string | undefined;
    readonly 'sec-fetch-site'?: string | string[] | undefined;
  };
}

export interface Pages {
  /**
   * Whether the request may be meant for this server. A page whose name was pointed to this machine after it was loaded
   * (DNS rebinding) counts as ours to the browser, but sends its own name as Host. Told on loopback only: elsewhere
   * nobody knows what names there are.
   */
  readonly knowsHost: (request: PageRequest) => boolean;
  /** Whether a page of another site sends something: browsers ask nobody before they send a form, or a file as text. */
  readonly isForeign: (request: PageRequest) => boolean;
}

type PageSettings = Pick<Config, 'HOST' | 'ALLOW_HOSTS' | 'ALLOW_ORIGIN'>;

const WRITES: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

export function createPages({ HOST, ALLOW_HOSTS, ALLOW_ORIGIN }: PageSettings): Pages {
  const isOnLoopback = isLoopback(HOST);
  const named = ALLOW_HOSTS ?? new Set<string>();
  const allowed = ALLOW_ORIGIN?.toLowerCase();
  /** Nearly all requests have the same. */
  let known: string | undefined;

  function isKnown(host: string): boolean {
    const name = hostNameOf(host);
    if (name === undefined) return false;
    return name.endsWith('.localhost') || isLoopback(name.replaceAll(/[[\]]/g, '')) || named.has(name);
  }

  return {
    // A preflight does nothing; one without Host is of no browser.
    knowsHost({ method, headers: { host } }) {
      if (!isOnLoopback || host === undefined || host === '' || host === known || method === 'OPTIONS')
        return true;
      if (!isKnown(host)) return false;
      known = host;
      return true;
    },

    isForeign({ method, host, headers: { host: sentTo = '', origin, 'sec-fetch-site': site } }) {
      if (!WRITES.has(method)) return false;
      // No script can set it (https://www.w3.org/TR/fetch-metadata/), but browsers send it by https and to loopback only.
      if (site === 'same-origin' || site === 'none') return false;
      if (origin === undefined) return site === 'cross-site';
      if (allowed === '*' || origin.toLowerCase() === allowed) return false;
      const from = URL.parse(origin);
      if (site === 'cross-site' || from === null || from.host === '') return true;
      if (named.has(from.hostname)) return false;
      return ![sentTo, host].some((own) => URL.parse(`${from.protocol}//${own}`)?.host === from.host);
    },
  };
}

export function unknownHost(host: string): Problem {
  return new Problem(
    'forbidden',
    `This server listens on this machine alone and asks nobody for a key, so it answers under names of this machine only, not as ${JSON.stringify(host.slice(0, 100))}. If that is your proxy, name it in ALLOW_HOSTS; or make a key: npm run keys -- create.`,
  );
}

export function foreignPage(origin = 'another site'): Problem {
  return new Problem(
    'forbidden',
    `This server asks nobody for a key, so pages of others may send it nothing; this came from ${origin.slice(0, 100)}. Set ALLOW_ORIGIN to that origin, or, if it is this server's own address at your proxy, ALLOW_HOSTS; or make a key: npm run keys -- create.`,
  );
}
