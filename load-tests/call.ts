// One HTTP call on a connection of its own.

/** `fetch`, and the connection is closed afterwards: one that is kept would hold up the server's stop for a second. */
export function call(
  url: string,
  signal: AbortSignal,
  init: Pick<RequestInit, 'method' | 'body'> & { readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Response> {
  return fetch(url, { ...init, signal, headers: { ...init.headers, connection: 'close' } });
}
