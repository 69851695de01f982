// Two connections to one new file: two processes, as far as an adapter can tell.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { twoSides } from './two-sides.ts';

export async function twoConnections<T extends { close(): Promise<void> }>(
  open: (options: { readonly path: string; readonly now: () => number }) => Promise<T>,
) {
  const folder = await mkdtemp(join(tmpdir(), 'registers-'));
  const path = join(folder, 'both.sqlite');
  return twoSides(
    (now) => open({ path, now }),
    () => rm(folder, { recursive: true }),
  );
}
