// What stands between a child process and the machine: it dies with us, gains no rights, and has bounds.

/** Which of the wrapping tools this machine has. macOS has only `nice`. */
export interface GuardTools {
  /** util-linux's: BusyBox's cannot set the death signal. */
  readonly setpriv: boolean;
  readonly prlimit: boolean;
  readonly nice: boolean;
}

export const NO_GUARDS: GuardTools = { setpriv: false, prlimit: false, nice: false };

/** Bounds of one process. */
export interface ChildLimits {
  /** Of all threads together. */
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  /** Of each file it writes. */
  readonly fileBytes: number;
  readonly openFiles: number;
}

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/**
 * Wraps a command. Each tool replaces itself by the next (`exec`), so the pid is the program's own in the end.
 * `hard` are the limits we live under ourselves, see `hardLimits`: asking for more is refused.
 */
export function guarded(
  { program, args }: Command,
  tools: GuardTools,
  limits: ChildLimits,
  hard: Partial<ChildLimits> = {},
): Command {
  const bound = (name: keyof ChildLimits): string =>
    `${Math.ceil(Math.min(limits[name], hard[name] ?? Infinity))}`;
  const words = [
    // Without it a `kill -9` of this process leaves FFmpeg running.
    ...(tools.setpriv ? ['setpriv', '--pdeathsig', 'KILL', '--no-new-privs', '--'] : []),
    ...(tools.prlimit
      ? [
          'prlimit',
          `--cpu=${bound('cpuSeconds')}`,
          `--as=${bound('memoryBytes')}`,
          `--fsize=${bound('fileBytes')}`,
          `--nofile=${bound('openFiles')}`,
          '--core=0',
          '--',
        ]
      : []),
    // People wait for images; nobody waits for the last second of a transcode.
    ...(tools.nice ? ['nice', '-n', '19'] : []),
    program,
    ...args,
  ];
  const [first = program, ...rest] = words;
  return { program: first, args: rest };
}

const ROWS: Readonly<Record<string, keyof ChildLimits>> = {
  'Max cpu time': 'cpuSeconds',
  'Max address space': 'memoryBytes',
  'Max file size': 'fileBytes',
  'Max open files': 'openFiles',
};

/** The hard limits in the text of Linux's `/proc/self/limits`; what is unlimited is left out. */
export function hardLimits(text: string): Partial<ChildLimits> {
  const found: Partial<Record<keyof ChildLimits, number>> = {};
  for (const line of text.split('\n')) {
    const row = /^(Max [a-z ]+?)\s{2,}(\S+)\s+(\S+)/.exec(line);
    const name = ROWS[row?.[1] ?? ''];
    const value = Number(row?.[3]);
    if (name !== undefined && Number.isFinite(value)) found[name] = value;
  }
  return found;
}
