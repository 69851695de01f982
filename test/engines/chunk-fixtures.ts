// A shelf for chunks as the store gives one, and looks at the frames of results.

import { execFile } from 'node:child_process';
import { copyFile, mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ChunkShelf } from '../../src/engine-contracts.ts';

const run = promisify(execFile);

export interface FolderShelf extends ChunkShelf {
  /** Names in the order in which they were kept, each time that it was. */
  readonly keeps: readonly string[];
  path(name: string): string;
}

/** Keeps chunks in a folder. `onKeep` is told of each one when it is there. */
export async function folderShelf(
  folder: string,
  onKeep: () => void = () => undefined,
): Promise<FolderShelf> {
  await mkdir(folder, { recursive: true });
  const keeps: string[] = [];
  return {
    keeps,
    path: (name) => join(folder, name),
    list: async () => new Set(await readdir(folder)),
    open: async (name) => ({ path: join(folder, name), [Symbol.asyncDispose]: async () => undefined }),
    async keep(name, path) {
      await rename(path, join(folder, name));
      keeps.push(name);
      onKeep();
    },
  };
}

/** The same chunks in another folder. */
export async function copyShelf(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from)) await copyFile(join(from, name), join(to, name));
}

/** Times of the frames (or of the packets of sound) as the container has them, in order, in seconds. */
export async function frameTimes(path: string, stream = 'v:0'): Promise<number[]> {
  const args = `-v error -select_streams ${stream} -show_entries packet=pts_time -of csv=p=0`.split(' ');
  const { stdout } = await run('ffprobe', [...args, path]);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Number.parseFloat(line))
    .toSorted((a, b) => a - b);
}

/** SSIM of two videos of the same frames, the first scaled to the second. */
export async function likeness(one: string, other: string): Promise<number> {
  const graph =
    '[0:v:0]settb=AVTB,setpts=N[a];[1:v:0]settb=AVTB,setpts=N[b];[a][b]scale2ref[c][d];[c][d]ssim';
  const { stderr } = await run('ffmpeg', [
    '-nostdin',
    '-hide_banner',
    '-i',
    one,
    '-i',
    other,
    '-filter_complex',
    graph,
    '-f',
    'null',
    '-',
  ]);
  return Number(/All:([\d.]+)/.exec(stderr)?.[1]);
}

/** A hash of every decoded sample. */
export async function soundOf(path: string): Promise<string> {
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-i', path, '-map', '0:a', '-f', 'streamhash', '-']);
  return stdout;
}
