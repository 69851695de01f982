// What the kernel knows of processes: trees, memory, descriptors, FFmpegs that belong to a data folder. Linux only.

import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** Whether this machine tells (Linux). */
export const HAS_PROC = existsSync('/proc/self/stat');

export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  /** `R`, `S`, `T` (stopped), `Z` (dead, not yet collected) … */
  readonly state: string;
  readonly rssBytes: number;
  readonly command: readonly string[];
}

const PAGE_BYTES = 4096;

/** All processes of the machine; those that ended while being read are left out. */
export function processTable(): ProcessInfo[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => processInfo(Number(name)) ?? []);
}

function processInfo(pid: number): ProcessInfo | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    return {
      pid,
      parent: Number(fields[1]),
      state: fields[0] ?? '?',
      rssBytes: Number(fields[21]) * PAGE_BYTES,
      command,
    };
  } catch {
    return undefined;
  }
}

export function isAlive(pid: number): boolean {
  const state = processInfo(pid)?.state;
  return state !== undefined && state !== 'Z';
}

/** Living children, and theirs. Without the process itself. */
export function descendants(pid: number, table: readonly ProcessInfo[] = processTable()): ProcessInfo[] {
  const children = table.filter(({ parent, state }) => parent === pid && state !== 'Z');
  return children.flatMap((child) => [child, ...descendants(child.pid, table)]);
}

/** Forked processes of a primary, in the order of their pids. */
export function forksOf(primary: number): number[] {
  return processTable()
    .filter(({ parent, state, command }) => parent === primary && state !== 'Z' && !isEncoder(command))
    .map(({ pid }) => pid)
    .toSorted((a, b) => a - b);
}

/** FFmpegs and ffprobes at work on files of a data folder, wherever they hang in the tree. */
export function encodersOf(dataDir: string, table: readonly ProcessInfo[] = processTable()): ProcessInfo[] {
  return table.filter(
    ({ pid, command, state }) =>
      state !== 'Z' &&
      isEncoder(command) &&
      (command.some((argument) => argument.includes(dataDir)) || folderOf(pid).startsWith(dataDir)),
  );
}

/** Those of them that no living process of `primary`'s tree looks after. */
export function orphansOf(dataDir: string, primary: number): ProcessInfo[] {
  const table = processTable();
  const tree = new Set(descendants(primary, table).map(({ pid }) => pid));
  return encodersOf(dataDir, table).filter(({ pid }) => !tree.has(pid));
}

/** The fork of `primary` that has started an encoder, directly or through a wrapper. */
export function forkBehind(primary: number, encoder: number): number | undefined {
  const table = processTable();
  return forksOf(primary).find((fork) => descendants(fork, table).some(({ pid }) => pid === encoder));
}

/** SIGKILL; false if it was gone already. */
export function killNow(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}

/** Open files, sockets and pipes. */
export function openDescriptors(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** Resident memory of a process and all below it. */
export function treeRss(pid: number): number {
  const table = processTable();
  const own = table.filter((info) => info.pid === pid);
  return [...own, ...descendants(pid, table)].reduce((sum, { rssBytes }) => sum + rssBytes, 0);
}

/** Also while it is still a wrapper (setpriv, prlimit) that will become it. */
function isEncoder(command: readonly string[]): boolean {
  return command.some((argument) => /(?:^|\/)ff(?:mpeg|probe)$/.test(argument));
}

function folderOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}
