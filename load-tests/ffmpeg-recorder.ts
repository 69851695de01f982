// Finds out with which arguments the server calls FFmpeg: by standing in its place and noting them.
// So the floor runs the very same command, whatever the server's planner becomes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { CheckFailed, check } from './check.ts';

export interface Recorder {
  /** For FFMPEG_PATH. */
  readonly path: string;
  /** The arguments of all encodes since the last call, oldest first. */
  take(): Promise<string[][]>;
}

/** Makes a program in `folder` that notes its arguments and becomes `ffmpeg`: one fork less than any wrapper. */
export async function recordFFmpeg(folder: string, ffmpeg: string): Promise<Recorder> {
  const notes = join(folder, 'ffmpeg-notes');
  const path = join(folder, 'ffmpeg');
  await mkdir(notes, { recursive: true });
  // NUL between them, since arguments may hold anything else. The name is the process's: nobody else's now.
  await writeFile(path, `#!/bin/sh\nprintf '%s\\0' "$@" >'${notes}/'$$\nexec '${ffmpeg}' "$@"\n`);
  await chmod(path, 0o755);
  return {
    path,
    async take() {
      const files = (await readdir(notes)).map((name) => join(notes, name));
      const calls = await Promise.all(
        files.map(async (file) => ({
          at: (await stat(file)).mtimeMs,
          args: (await readFile(file, 'utf8')).split('\0').slice(0, -1),
        })),
      );
      await Promise.all(files.map((file) => rm(file)));
      return calls
        .toSorted((a, b) => a.at - b.at)
        .map(({ args }) => args)
        .filter(isEncode);
    },
  };
}

/** Not a question after encoders, and not a look at a file that makes none. */
function isEncode(args: readonly string[]): boolean {
  return args.includes('-i') && !args.includes('null');
}

/** The same call with another source, its results in another folder. `dataDir`: where the server's files are. */
export function rebase(
  args: readonly string[],
  dataDir: string,
  to: { source: string; folder: string },
): string[] {
  let isInput = false;
  return args.map((arg) => {
    const place = arg.indexOf(dataDir);
    const moved =
      place === -1
        ? arg
        : arg.slice(0, place) + (isInput ? to.source : join(to.folder, basename(arg.slice(place))));
    isInput = arg === '-i';
    return moved;
  });
}

/** Runs a program to its end. Returns its wall time in seconds; rejects with CheckFailed unless it exits with 0. */
export async function timed(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
  cwd?: string,
): Promise<number> {
  const begun = performance.now();
  // Reports go to whatever descriptor they were told to (`-progress pipe:3`); all are drained.
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    signal,
    ...(cwd !== undefined && { cwd }),
  });
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2000)));
  for (const stream of child.stdio.slice(1)) if (stream instanceof Readable) stream.resume();
  const [code] = (await once(child, 'close')) as [number | null];
  const seconds = (performance.now() - begun) / 1000;
  check(code === 0, `${basename(program)} ended with ${String(code)}: ${errors}`);
  return seconds;
}

/** Exactly one call, or CheckFailed: the floor would not be the same work. */
export function onlyCall(calls: readonly string[][], what: string): string[] {
  const [call] = calls;
  if (calls.length !== 1 || call === undefined)
    throw new CheckFailed(`${what} took ${calls.length} FFmpeg calls where one was expected`);
  return call;
}
