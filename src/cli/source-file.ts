// The files that a command is given: by path, or `-` for what comes on standard input.

import { createWriteStream, openAsBlob } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UsageError } from './command.ts';

export interface SourceFile extends AsyncDisposable {
  readonly name: string;
  readonly blob: Blob;
}

/** Read piece by piece while it is sent, never held in memory. Throws UsageError. */
export async function openSource(path: string, stdin: Readable = process.stdin): Promise<SourceFile> {
  if (path === '-') return spool(stdin);
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(
      error.code === 'ENOENT' ? `There is no file ${path}.` : `${path} cannot be read: ${error.message}.`,
    );
  });
  if (!found.isFile()) throw new UsageError(`${path} is not a file.`);
  return { name: basename(path), blob: await openAsBlob(path), [Symbol.asyncDispose]: async () => undefined };
}

/** A call may have to be made again, so it must be possible to read it again. */
async function spool(stdin: Readable): Promise<SourceFile> {
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const path = join(folder, 'stdin');
    await pipeline(stdin, createWriteStream(path, { mode: 0o600 }));
    return { name: 'stdin', blob: await openAsBlob(path), [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
