// The machine that figures were measured on: without it they mean nothing to anyone else.

import { execFile } from 'node:child_process';
import { arch, availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { FFMPEG } from './media.ts';
import { ROOT } from './server-process.ts';

export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly ffmpeg: string;
  readonly sharp: string;
  readonly libvips: string;
  /** Of the code, with `+` where it was changed since. */
  readonly commit: string;
}

export async function describeMachine(): Promise<Machine> {
  const ffmpeg = await output(FFMPEG, ['-hide_banner', '-version']);
  const changed = await output('git', ['status', '--porcelain', '--untracked-files=no']);
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()} ${arch()}`,
    node: process.version,
    ffmpeg: /version (\S+)/.exec(ffmpeg)?.[1] ?? 'unknown',
    sharp: sharp.versions.sharp,
    libvips: sharp.versions.vips,
    commit: (await output('git', ['rev-parse', '--short', 'HEAD'])).trim() + (changed === '' ? '' : '+'),
  };
}

export function machineLine(machine: Machine): string {
  const { cores, cpu, memoryGiB, system, node, ffmpeg, sharp, libvips } = machine;
  return `${cores} cores of ${cpu}, ${memoryGiB} GiB, ${system}; Node ${node}, FFmpeg ${ffmpeg}, sharp ${sharp}, libvips ${libvips}`;
}

/** Empty where the program is missing or fails: a clone without git still has figures. */
async function output(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, [...args], { cwd: ROOT }).catch(() => ({
    stdout: '',
  }));
  return stdout;
}
