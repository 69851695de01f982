// The allow list of remote sources: hosts, hosts below a domain, or addresses that begin alike.

interface RemoteRule {
  /** Of the whole host name, or of its end where `below` is set. */
  readonly host: string;
  readonly below: boolean;
  /** As in URL: empty for 443. */
  readonly port: string;
  /** What the path begins with. */
  readonly path: string;
}

/** Whether the list allows a URL. */
export type RemoteAllowList = (url: URL) => boolean;

const HOST = /^(\*\.)?(localhost|(?:[a-z0-9-]+\.)+[a-z0-9-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/;

/**
 * Reads a comma-separated list of `example.com`, `*.example.com` (hosts below, not example.com itself) and
 * `https://example.com/images/`; each may have a port. Throws an Error that says which entry is wrong and why.
 */
export function parseRemoteSources(text: string): RemoteAllowList {
  const rules = text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map(parseRule);
  return (url) => url.protocol === 'https:' && !climbs(url.pathname) && rules.some((rule) => fits(rule, url));
}

function parseRule(entry: string): RemoteRule {
  const wrong = (why: string): Error => new Error(`${JSON.stringify(entry.slice(0, 100))} ${why}`);
  const lower = entry.toLowerCase();
  if (lower.startsWith('http://')) throw wrong('is not https: nothing else is fetched');
  if (lower.startsWith('https://')) {
    const url = URL.parse(entry);
    if (url === null || url.search !== '' || url.hash !== '' || url.username !== '')
      throw wrong('is not the beginning of an https address');
    return { host: url.hostname, below: false, port: url.port, path: url.pathname };
  }
  const match = HOST.exec(lower);
  if (match === null)
    throw wrong('is neither a host (example.com, *.example.com) nor the beginning of an https address');
  const [, wildcard, host = '', port = ''] = match;
  return { host, below: wildcard !== undefined, port: port === '443' ? '' : port, path: '/' };
}

function fits(rule: RemoteRule, url: URL): boolean {
  const host = rule.below ? url.hostname.endsWith(`.${rule.host}`) : url.hostname === rule.host;
  if (!host || url.port !== rule.port) return false;
  // `/images` means that folder and not `/images-of-others`.
  const folder = rule.path.endsWith('/') ? rule.path : `${rule.path}/`;
  return url.pathname === rule.path || url.pathname.startsWith(folder);
}

/** URL resolves `..` and `%2e%2e`, but not `..%2f`, which some servers read as a way up. */
function climbs(path: string): boolean {
  return /(?:^|\/|\\|%2f|%5c)(?:\.|%2e){2}(?:$|\/|\\|%2f|%5c)/i.test(path);
}
