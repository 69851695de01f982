// Files that are durable, and what a failed one means.

import { mkdir, open } from 'node:fs/promises';
import { dirname, sep } from 'node:path';
import { Problem } from '../problems.ts';

/** Keys are made by us, but from ids that came by URL: each part is checked all the same. */
export function keyParts(key: string): string[] {
  return key.split('/').map(safeName);
}

export function safeName(part: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,200}$/.test(part) || part.includes(sep)) {
    throw new TypeError(`not a key of the store: ${JSON.stringify(part)}`);
  }
  return part;
}

export async function syncFile(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  await file.sync();
}

/** A new name is durable only once its folder is. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

export async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

export function asProblem(error: unknown): unknown {
  const problem = Problem.from(error);
  return problem.code === 'storage_full' ? problem : error;
}

/** An error of what should be there, and is not: as the file system tells it. */
export function missing(message: string): Error {
  return Object.assign(new Error(message), { code: 'ENOENT' });
}

export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** Of a segment, in bytes. */
export function tooShort(has: number, said: number): Error {
  return missing(`a segment has ${has} bytes, and was said to have ${said}`);
}
