// CPU time and memory of a process with all its descendants: the server is many processes, FFmpeg among them.

import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { promisify } from 'node:util';

export interface ProcessUsage {
  readonly pid: number;
  readonly parent: number;
  /** Of its program, without folders; Linux keeps 15 characters. */
  readonly name: string;
  /** When it began, in whatever form the system tells: with `pid` it names one process, also when pids are used again. */
  readonly started: string;
  /** Seconds in user and kernel mode; on Linux with those of its children that have ended and were waited for. */
  readonly cpuSeconds: number;
  /** Bytes resident. Pages that processes share are counted in each. */
  readonly rssBytes: number;
}

/** Linux tells times to programs in hundredths of a second on every architecture that Node has (USER_HZ). */
const TICKS_PER_SECOND = 100;

/** A process and all its descendants that live now; empty if it is gone. */
export async function readTree(root: number): Promise<ProcessUsage[]> {
  const all = await listProcesses();
  const tree = all.filter(({ pid }) => pid === root);
  for (const member of tree) tree.push(...all.filter(({ parent }) => parent === member.pid));
  return process.platform === 'linux' ? Promise.all(tree.map(withRss)) : tree;
}

export function cpuSeconds(tree: readonly ProcessUsage[]): number {
  return tree.reduce((sum, each) => sum + each.cpuSeconds, 0);
}

export function rssBytes(tree: readonly ProcessUsage[]): number {
  return tree.reduce((sum, each) => sum + each.rssBytes, 0);
}

/** Those of an earlier look that still live. */
export async function survivors(tree: readonly ProcessUsage[]): Promise<ProcessUsage[]> {
  const now = new Map((await listProcesses()).map(({ pid, started }) => [pid, started]));
  return tree.filter(({ pid, started }) => now.get(pid) === started);
}

/** Without memory on Linux, where that takes another file for each. */
async function listProcesses(): Promise<ProcessUsage[]> {
  if (process.platform !== 'linux') {
    const { stdout } = await promisify(execFile)('ps', [
      '-A',
      '-o',
      'pid=,ppid=,stat=,time=,rss=,lstart=,comm=',
    ]);
    return parsePs(stdout);
  }
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')));
  return stats.flatMap((stat) => parseStat(stat) ?? []);
}

/** One line of /proc/[pid]/stat, see proc(5). Undefined for none and for what is dead and only waits to be waited for. */
export function parseStat(stat: string): ProcessUsage | undefined {
  // The second field is the program's name in parentheses, and may hold anything, spaces and parentheses too.
  const nameEnd = stat.lastIndexOf(')');
  const fields = stat.slice(nameEnd + 2).split(' ');
  if (nameEnd === -1 || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  const field = (number: number): number => Number(fields[number - 3]);
  return {
    pid: Number.parseInt(stat, 10),
    parent: field(4),
    name: stat.slice(stat.indexOf('(') + 1, nameEnd),
    started: String(field(22)),
    cpuSeconds: (field(14) + field(15) + field(16) + field(17)) / TICKS_PER_SECOND,
    rssBytes: 0,
  };
}

/** Lines of `ps -o pid=,ppid=,stat=,time=,rss=,lstart=,comm=`, as on macOS. */
export function parsePs(output: string): ProcessUsage[] {
  return output.split('\n').flatMap((line) => {
    const [pid, parent, state, time, rss, ...rest] = line.trim().split(/\s+/);
    if (time === undefined || state?.startsWith('Z') === true) return [];
    return {
      pid: Number(pid),
      parent: Number(parent),
      // `Sat Nov 22 15:25:00 2026`: five words, then a path that may have spaces too.
      started: rest.slice(0, 5).join(' '),
      name: basename(rest.slice(5).join(' ')),
      cpuSeconds: parseTime(time),
      rssBytes: Number(rss) * 1024,
    };
  });
}

/** `[[days-]hours:]minutes:seconds`, with or without fractions. */
function parseTime(time: string): number {
  const [clock = '', days = '0'] = time.split('-').toReversed();
  return clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) + Number(days) * 86_400;
}

async function withRss(usage: ProcessUsage): Promise<ProcessUsage> {
  // In kibibytes, and exact; the pages in `stat` need the page size and lag behind.
  const status = await readFile(`/proc/${usage.pid}/status`, 'latin1').catch(() => '');
  return { ...usage, rssBytes: Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1] ?? 0) * 1024 };
}
