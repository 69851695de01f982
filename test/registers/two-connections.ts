// Two connections to one new file, with one clock that the test moves: two processes, as far as an adapter can tell.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function twoConnections<T extends { close(): Promise<void> }>(
  open: (options: { readonly path: string; readonly now: () => number }) => Promise<T>,
) {
  const folder = await mkdtemp(join(tmpdir(), 'registers-'));
  let time = Date.now();
  const options = { path: join(folder, 'both.sqlite'), now: () => time };
  const [left, right] = await Promise.all([open(options), open(options)]);
  return {
    left,
    right,
    now: () => time,
    pass(milliseconds: number): void {
      time += milliseconds;
    },
    async close(): Promise<void> {
      await left.close();
      await right.close();
      await rm(folder, { recursive: true });
    },
  };
}
