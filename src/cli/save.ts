// Writing what came: whole or not at all, beside its place first and then by rename.

import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { Readable } from 'node:stream';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { UsageError } from './command.ts';

/** To a path, or for `-` to standard output. Makes the folder. Throws UsageError where the path cannot be written. */
export async function save(
  bytes: Uint8Array | Response,
  path: string,
  { stdout, signal }: { readonly stdout: Writable; readonly signal?: AbortSignal },
): Promise<void> {
  const from =
    bytes instanceof Response ? Readable.fromWeb(bytes.body as ReadableStream) : Readable.from([bytes]);
  if (path === '-') {
    await pipeline(from, stdout, { end: false, ...(signal && { signal }) });
    return;
  }
  const unfinished = join(dirname(path), `.mediamill-${randomBytes(6).toString('hex')}.part`);
  try {
    await mkdir(dirname(path), { recursive: true });
    await pipeline(from, createWriteStream(unfinished), { ...(signal && { signal }) });
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => undefined);
    const { code, message, syscall } = error as NodeJS.ErrnoException;
    if (syscall !== undefined && code !== undefined && /^E[A-Z]+$/.test(code))
      throw new UsageError(`${path} cannot be written: ${message}.`);
    throw error;
  }
}

/** Throws UsageError where what is made would take the place of what it is made of. */
export async function assertOtherFile(source: string, target: string | undefined): Promise<void> {
  if (target === undefined || target === '-' || source === '-') return;
  const [one, other] = await Promise.all(
    [source, target].map((path) => stat(path, { bigint: true }).catch(() => undefined)),
  );
  if (one === undefined || other === undefined || one.ino !== other.ino || one.dev !== other.dev) return;
  throw new UsageError(`${target} is the source itself: name another file after -o.`);
}

/** Throws UsageError for a file whose name ends in no format of the command. `formats`: by ending, with the dot. */
export async function assertFormat(
  target: string | undefined,
  formats: Readonly<Record<string, string>>,
): Promise<void> {
  if (target === undefined || target === '-' || (await isFolder(target))) return;
  const ending = extname(target).toLowerCase();
  if (ending === '' || Object.hasOwn(formats, ending)) return;
  throw new UsageError(
    `${target} ends in no format that can be made here: ${Object.keys(formats).join(', ')}. Or say it by --format.`,
  );
}

/** Whether a path is meant as a folder: it ends in a slash, or is one. */
export async function isFolder(path: string): Promise<boolean> {
  if (/[\\/]$/.test(path)) return true;
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() === true;
}

/** The name that the server gives a file, if it is one that may be used here. */
export function nameIn(response: Response): string | undefined {
  const header = response.headers.get('content-disposition') ?? '';
  const encoded = /filename\*=UTF-8''([^;]+)/i.exec(header)?.[1];
  const plain = /filename="([^"]*)"/i.exec(header)?.[1];
  const name = encoded === undefined ? plain : decodeURIComponent(encoded);
  // A server that is not to be trusted must not choose the folder.
  return name === undefined || name === '' || /^\.|[\\/\0]/.test(name) ? undefined : name;
}
