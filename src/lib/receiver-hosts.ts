// The receivers of webhooks inside one's own network: exempt from the rule that only public addresses are connected to.

/** Whether a URL leads to one of them. */
export type ReceiverHosts = (url: URL) => boolean;

const ENTRY = /^((?:[a-z0-9_-]+\.)*[a-z0-9_-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'https:': '443', 'http:': '80' };

/**
 * Reads a comma-separated list of `host` (its port 443 by https and 80 by http) and `host:port` (by either). Exact names,
 * no wildcards. Throws an Error that says which entry is wrong.
 */
export function parseReceiverHosts(text: string): ReceiverHosts {
  const allowed = new Set(
    text
      .split(',')
      .map((entry) => entry.trim().toLowerCase())
      .filter((entry) => entry !== '')
      .map((entry) => {
        const [, host, port] = ENTRY.exec(entry) ?? [];
        // As a URL writes it: 127.1 is 127.0.0.1.
        const hostname = host === undefined ? undefined : URL.parse(`http://${host}`)?.hostname;
        if (hostname === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535)
          throw new Error(`${JSON.stringify(entry.slice(0, 100))} is neither a host nor host:port`);
        return `${hostname}:${port === undefined ? '' : Number(port)}`;
      }),
  );
  return ({ hostname, port, protocol }) => {
    const standard = DEFAULT_PORTS[protocol];
    if (standard === undefined) return false;
    if (allowed.has(`${hostname}:${port === '' ? standard : port}`)) return true;
    return port === '' && allowed.has(`${hostname}:`);
  };
}
