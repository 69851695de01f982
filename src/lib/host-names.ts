// Names of hosts, as a Host header, an origin or a setting writes them.

const HOST = /^([a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

/** The name in `host` or `host:port`, as a URL writes it: small letters, 127.1 as 127.0.0.1. Undefined for anything else. */
export function hostNameOf(host: string): string | undefined {
  const name = HOST.exec(host)?.[1];
  return name === undefined ? undefined : URL.parse(`http://${name}`)?.hostname.replace(/\.$/, '');
}

/** Reads a comma-separated list of hosts; a port behind one is of no matter. Throws an Error that says which is wrong. */
export function parseHostNames(text: string): ReadonlySet<string> {
  const names = text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map((entry) => {
      const name = hostNameOf(entry);
      if (name === undefined || name === '')
        throw new Error(`${JSON.stringify(entry.slice(0, 100))} is no host, such as media.example.com`);
      return name;
    });
  return new Set(names);
}
