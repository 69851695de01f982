// The program under fault: where it runs, how it is hurt and started again, what is seen of it meanwhile.

import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import {
  descendants,
  encodersOf,
  forkBehind,
  forksOf,
  isAlive,
  killNow,
  orphansOf,
} from '../support/processes.ts';
import type { ProcessInfo } from '../support/processes.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';
import type { Random } from '../support/random.ts';

export type Tool = 'ffmpeg' | 'ffprobe';
export type Fault = 'process' | 'encoder' | 'primary';

export interface Site extends AsyncDisposable {
  readonly dataDir: string;
  /** As it runs now: another one after the primary was killed. */
  readonly program: Program;
  /** All its lives so far, the present one last. */
  readonly lives: readonly Program[];
  /** The same address in all its lives: that its port can be taken again is part of the test. */
  readonly address: string;
  readonly kills: Readonly<Record<Fault, number>>;
  /** The longest that an FFmpeg outlived its process, or a process its primary, in milliseconds. */
  readonly longestOrphanMs: number;
  readonly violations: string[];
  /** SIGKILL to one, chosen at random; false where there was none of that kind. Resolves when its orphans are gone and, after the primary, when the program serves again. */
  hurt(fault: Fault, random: Random): Promise<boolean>;
  /** The fork that runs an encoder, once there is one. */
  forkAtWork(): Promise<number>;
  /** The FFmpeg or ffprobe that is at work, once there is one. */
  toolAtWork(tool: Tool): Promise<number>;
  /** Everything at once, as when the machine loses its power, but for the disk. It stays off until `restart`. */
  powerOff(): Promise<void>;
  /** Starts the program on the same folder and port, after it was stopped. */
  restart(): Promise<void>;
}

/** What SECURITY promises: no orphan FFmpeg after 2 s, processes leave within 2 s of their primary. */
const ORPHAN_MS = 2000;
const GIVE_UP_MS = 20_000;

export async function openSite(
  settings: Readonly<Record<string, string>>,
  { servingMs }: { readonly servingMs?: number } = {},
): Promise<Site> {
  const dataDir = await realpath(await mkdtemp(join(tmpdir(), 'mediamill-faults-')));
  const port = await freePort();
  const start = (): Promise<Program> =>
    startProgram(
      {
        LOG_LEVEL: 'debug',
        JOB_LEASE_SECONDS: '2',
        JOB_ATTEMPTS: '10',
        ...settings,
        PORT: String(port),
        DATA_DIR: dataDir,
      },
      { ...(servingMs !== undefined && { servingMs }) },
    );
  let program = await start().catch(async (error: unknown) => {
    await rm(dataDir, { recursive: true, force: true });
    throw error;
  });
  const lives = [program];
  const startAgain = async (): Promise<void> => {
    program = await start();
    lives.push(program);
  };
  const kills = { process: 0, encoder: 0, primary: 0 };
  const violations: string[] = [];
  let longestOrphanMs = 0;

  const awaitNoOrphans = async (what: string, left: () => readonly number[]): Promise<void> => {
    const begun = performance.now();
    try {
      await eventually(what, () => left().length === 0, { timeoutMs: GIVE_UP_MS, everyMs: 15 });
    } catch (error) {
      violations.push(`${(error as Error).message}: ${left().join(', ')}`);
    }
    const ms = performance.now() - begun;
    longestOrphanMs = Math.max(longestOrphanMs, ms);
    if (ms > ORPHAN_MS) violations.push(`${what}: only after ${Math.round(ms)} ms`);
  };

  const hurt: Site['hurt'] = async (fault, random) => {
    if (fault === 'encoder') {
      const victims = await eventually('an encoder at work', () => some(toolsOf(dataDir, 'ffmpeg')), {
        timeoutMs: 3000,
        everyMs: 10,
      }).catch(() => []);
      if (victims.length === 0 || !killNow(random.pick(victims).pid)) return false;
      kills.encoder++;
      return true;
    }
    const forks = forksOf(program.pid);
    if (fault === 'process') {
      if (forks.length === 0) return false;
      const victim = random.pick(forks);
      const since = program.log.length;
      if (!killNow(victim)) return false;
      kills.process++;
      // From here on "both serve" means both that live.
      await program.waitFor((line) => line['process'] === victim, { since });
      await awaitNoOrphans('no FFmpeg outlives its process', () =>
        orphansOf(dataDir, program.pid).map(({ pid }) => pid),
      );
      return true;
    }
    kills.primary++;
    program.kill('SIGKILL');
    await program.exited;
    await awaitNoOrphans('nothing outlives the primary', () => [
      ...forks.filter(isAlive),
      ...encodersOf(dataDir).map(({ pid }) => pid),
    ]);
    await startAgain();
    return true;
  };

  return {
    dataDir,
    address: `http://127.0.0.1:${port}`,
    kills,
    violations,
    lives,
    hurt,
    get program() {
      return program;
    },
    get longestOrphanMs() {
      return longestOrphanMs;
    },
    async forkAtWork() {
      return eventually(
        'an encoder at work',
        () => {
          const [encoder] = encodersOf(dataDir);
          return encoder === undefined ? undefined : forkBehind(program.pid, encoder.pid);
        },
        { timeoutMs: 30_000 },
      );
    },
    async toolAtWork(tool) {
      const { pid } = await eventually(`${tool} at work`, () => toolsOf(dataDir, tool)[0], {
        timeoutMs: 60_000,
        everyMs: 2,
      });
      return pid;
    },
    async powerOff() {
      kills.primary++;
      const family = descendants(program.pid);
      program.kill('SIGKILL');
      for (const { pid } of family) killNow(pid);
      await program.exited;
      await awaitNoOrphans('nothing outlives the power', () => encodersOf(dataDir).map(({ pid }) => pid));
    },
    restart: startAgain,
    async [Symbol.asyncDispose]() {
      await program[Symbol.asyncDispose]();
      for (const { pid } of encodersOf(dataDir)) killNow(pid);
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function toolsOf(dataDir: string, tool: Tool): ProcessInfo[] {
  return encodersOf(dataDir).filter(({ command }) =>
    command.some((argument) => argument === tool || argument.endsWith(`/${tool}`)),
  );
}

const some = <T>(items: readonly T[]): readonly T[] | undefined => (items.length > 0 ? items : undefined);
