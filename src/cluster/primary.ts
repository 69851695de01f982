// The primary: forks the processes, listens to them and to signals, and does what the supervisor decides.

import cluster from 'node:cluster';
import type { Worker } from 'node:cluster';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { Config } from '../config.ts';
import type { Hint } from '../contracts.ts';
import { dutiesOf } from '../jobs/duties.ts';
import type { Logger } from '../logger.ts';
import { channelSender } from './channel.ts';
import { QuarantineMemory } from './quarantine-memory.ts';
import { closeLostConnections } from './handover.ts';
import { listenMistake } from './listen-mistake.ts';
import { MACHINE_VARIABLE, OWNER_VARIABLE } from './messages.ts';
import type { ToPrimary, ToProcess } from './messages.ts';
import { initialState, wakeAt } from './supervision.ts';
import type { SupervisorAction, SupervisorEvent } from './supervision.ts';
import { supervise } from './supervisor.ts';
import { createWatch } from './watch.ts';

export interface PrimaryOptions {
  readonly config: Config;
  readonly log: Logger;
  /** Added to the environment of every process. */
  readonly env?: Readonly<Record<string, string>>;
}

interface Fork {
  /** Unique for each life of a process; its jobs carry it. */
  readonly owner: string;
  readonly pid: number | undefined;
  readonly send: (message: ToProcess) => void;
  readonly kill: () => void;
}

/**
 * Runs the program's own script again as config.PROCESSES processes and keeps it so: until SIGTERM or SIGINT,
 * or until it is clear that none can start. Ends by process.exit.
 */
export function runPrimary({ config, log, env = {} }: PrimaryOptions): void {
  const forks = new Map<number, Fork>();
  const hasTerminal = isatty(0);
  let state = initialState({ processes: config.PROCESSES, drain: config.SHUTDOWN_SECONDS * 1000 });
  let timer: NodeJS.Timeout | undefined;
  const machine = randomUUID();
  const duties = dutiesOf(config);
  let address: string | undefined;

  const handle = (event: SupervisorEvent): void => {
    const decided = supervise(state, event, performance.now());
    state = decided.state;
    for (const action of decided.actions) perform(action);
    clearTimeout(timer);
    const due = wakeAt(state);
    if (due === null) return;
    timer = setTimeout(() => handle({ type: 'tick' }), Math.max(0, Math.ceil(due - performance.now())));
  };

  const perform = (action: SupervisorAction): void => {
    switch (action.type) {
      case 'fork':
        return start(action.process);
      case 'drain': {
        // The supervisor's clock never jumps; the process compares with the time of day.
        const deadline = Date.now() + action.deadline - performance.now();
        return forks.get(action.process)?.send({ type: 'drain', deadline, why: action.why });
      }
      case 'kill':
        watch.killed();
        return forks.get(action.process)?.kill();
      case 'abandon':
        return abandon(action.process);
      case 'announce':
        return log.info(
          {
            ...(address !== undefined && { address }),
            ...duties,
            processes: config.PROCESSES,
            imageThreads: config.IMAGE_THREADS,
            ...(duties.lanes.includes('video') && { videoSlots: config.VIDEO_SLOTS }),
            ...(duties.lanes.includes('film') && { filmSlots: config.FILM_SLOTS }),
          },
          'serving',
        );
      case 'log': {
        const pid = action.process === undefined ? undefined : forks.get(action.process)?.pid;
        return log[action.level](
          { ...(pid === undefined ? {} : { process: pid }), ...action.facts },
          action.message,
        );
      }
      case 'exit':
        return process.exit(action.code);
    }
  };

  const watch = createWatch({
    config,
    log,
    send: (id, message) => forks.get(id)?.send(message),
    phases: () => new Map(Array.from(state.processes, ([id, { phase }]) => [id, phase])),
  });

  cluster.setupPrimary({ execArgv: [...process.execArgv, ...PROCESS_FLAGS] });
  const start = (id: number): void => {
    const owner = randomUUID();
    let worker: Worker;
    try {
      worker = cluster.fork({ ...env, [OWNER_VARIABLE]: owner, [MACHINE_VARIABLE]: machine });
    } catch (error) {
      // No memory for another process, say. As an event of its own: this runs in the middle of one.
      log.error({ err: error }, 'fork failed');
      forks.set(id, { owner, pid: undefined, send: () => {}, kill: () => {} });
      setImmediate(handle, { type: 'exited', process: id, code: null, signal: null } as const);
      return;
    }
    watch.forked();
    closeLostConnections(worker);
    const child = worker.process;
    forks.set(id, { owner, pid: child.pid, send: channelSender(child), kill: () => child.kill('SIGKILL') });
    worker.on('message', (message: ToPrimary) => heard(id, message));
    worker.once('exit', (code: number | null, signal: string | null) => {
      watch.exited(id, code, signal);
      handle({ type: 'exited', process: id, code, signal });
    });
    worker.on('error', (error: Error) => {
      log.error({ err: error, process: child.pid }, 'process trouble');
      // Could not even be spawned: there will be no 'exit'.
      if (child.pid === undefined) handle({ type: 'exited', process: id, code: null, signal: null });
    });
  };

  const heard = (id: number, message: ToPrimary): void => {
    switch (message.type) {
      case 'ready':
        address = message.address;
        // Before anything else reaches it: the very image that cost its forerunner may be the next request.
        for (const hint of quarantine.current(Date.now())) forks.get(id)?.send({ type: 'hint', hint });
        return handle({ type: 'ready', process: id });
      case 'overrun':
        watch.overran();
        return handle({ type: 'overrun', process: id });
      case 'hint':
        return relay(message.hint, id);
      case 'report':
        return watch.heard(id, message);
      case 'machine':
        return forks.get(id)?.send({ type: 'machine', view: watch.view() });
    }
  };

  const quarantine = new QuarantineMemory();
  const relay = (hint: Hint, from?: number): void => {
    quarantine.hear(hint, Date.now());
    for (const [id, fork] of forks) if (id !== from) fork.send({ type: 'hint', hint });
  };

  const abandon = (id: number): void => {
    const owner = forks.get(id)?.owner;
    forks.delete(id);
    if (owner !== undefined) relay({ topic: 'abandoned', owner });
  };

  process.on('SIGTERM', () => handle({ type: 'stop', signal: 'SIGTERM' }));
  process.on('SIGINT', () => handle({ type: 'stop', signal: 'SIGINT' }));
  process.on('SIGHUP', () =>
    handle(hasTerminal && !terminalIsThere() ? { type: 'stop', signal: 'SIGHUP' } : { type: 'reload' }),
  );
  watch.start().then(
    () => handle({ type: 'tick' }),
    (error: unknown) => {
      log.fatal({ err: error }, listenMistake(error, config, 'ADMIN_') ?? 'the admin port cannot be opened');
      process.exit(1);
    },
  );
}

/**
 * V8 counts the bytes of uploads as memory of a heap that is 20 MB small, and so marked all of it anew every seventh
 * image: 3 of 22 ms of CPU for each (measured with a 800 kB JPEG). A heap that may begin at 128 MB is marked when it
 * is worth it. The warning is of stripping types from the console's sources, of which an operator need not know.
 */
const PROCESS_FLAGS = ['--initial-old-space-size=128', '--disable-warning=ExperimentalWarning'];

/** SIGHUP also says that the window was closed in which the program was started by hand. */
function terminalIsThere(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
