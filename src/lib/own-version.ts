// Which version of Mediamill this is.

import { readFile } from 'node:fs/promises';

/** As package.json says, e.g. `0.1.0`. */
export async function ownVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
