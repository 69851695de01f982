// A forked process: runs the server, passes hints, drains when it is told to, and never outlives the primary.

import cluster from 'node:cluster';
import { ConfigError } from '../config.ts';
import type { Config } from '../config.ts';
import type { HintBus } from '../contracts.ts';
import type { Logger } from '../logger.ts';
import type { MachineView } from '../metrics/machine.ts';
import type { Report } from '../metrics/report.ts';
import { isAway } from '../problems.ts';
import { createAsking } from './asking.ts';
import { channelSender } from './channel.ts';
import { ipcHints } from './hints.ts';
import { listenMistake } from './listen-mistake.ts';
import { UNAVAILABLE_CODE } from './messages.ts';
import type { DrainReason, ReportMessage, ToProcess } from './messages.ts';

/** What the cluster needs of a server. */
export interface RunningServer {
  /** E.g. `http://127.0.0.1:3000`; undefined where it only works on jobs. */
  readonly address: string | undefined;
  /** Takes nothing new, ends what runs by `deadline` (milliseconds since 1970), gives jobs back, closes all. */
  close(deadline: number, why: DrainReason): Promise<void>;
  /** What it tells of itself, also after it was closed. */
  readonly report?: Report;
}

export interface ProcessOptions {
  readonly config: Config;
  readonly log: Logger;
  /** The name of this life of the process. */
  readonly owner: string;
  /** The name of this life of its primary. */
  readonly machine: string;
  readonly startServer: (options: {
    readonly config: Config;
    readonly log: Logger;
    readonly hints: HintBus;
    readonly owner: string;
    readonly machine: string;
    /** An image overran its deadline and cannot be stopped. */
    readonly onOverrun: () => void;
    /** The primary's view of the machine; undefined if it does not answer in time. */
    readonly askPrimary: () => Promise<MachineView | undefined>;
  }) => Promise<RunningServer>;
}

/** Milliseconds that the primary gets to answer. */
const ASK_MS = 1000;
/** There is one primary. */
const PRIMARY = 0;

/** Resolves when the server serves. From then on the primary decides; ends by process.exit or SIGKILL. */
export async function runProcess({
  config,
  log,
  owner,
  machine: machineId,
  startServer,
}: ProcessOptions): Promise<void> {
  const send = channelSender(process);
  const hints = ipcHints((hint) => send({ type: 'hint', hint }));
  const machine = createAsking<MachineView>({ send: () => send({ type: 'machine' }), waitMs: ASK_MS });
  let leaving = false;
  let closed = false;
  /** A native call runs that cannot be stopped. */
  let stuck = false;

  // Ctrl-C and a closed terminal reach the whole process group; the primary says what is to be done.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'unexpected error: the process ends');
    vanish();
  });
  // On the worker and not on `process`, where node:cluster is first with a process.exit.
  cluster.worker?.once('disconnect', () => {
    if (closed && !stuck) process.exit(0);
    vanish();
  });

  const starting = startServer({
    config,
    log,
    hints,
    owner,
    machine: machineId,
    onOverrun: () => {
      stuck = true;
      send({ type: 'overrun' });
    },
    askPrimary: async () => (await machine.ask([PRIMARY])).get(PRIMARY),
  });

  const tell = async (about: ReportMessage['about']): Promise<void> => {
    try {
      const { report } = await starting;
      if (about === 'metrics') {
        const value = await report?.metrics();
        send({ type: 'report', about, ...(value && { value }) });
      } else {
        const value = await report?.sample();
        send({ type: 'report', about, ...(value && { value }) });
      }
    } catch (error) {
      log.warn({ err: error, about }, 'this process could not tell of itself');
      send({ type: 'report', about });
    }
  };

  const drain = async (deadline: number, why: DrainReason): Promise<void> => {
    if (leaving) return;
    leaving = true;
    const server = await starting;
    await server.close(deadline, why).catch((error: unknown) => log.error({ err: error }, 'closing failed'));
    // Counted on by the others: what it did must not be forgotten.
    if (config.ADMIN_PORT !== undefined) await tell('metrics');
    closed = true;
    // Waits until the primary has taken back the connections that it was handing over just now.
    cluster.worker?.disconnect();
  };

  process.on('message', (message: ToProcess) => {
    if (message.type === 'hint') hints.deliver(message.hint);
    else if (message.type === 'report') void tell(message.about);
    else if (message.type === 'machine') machine.answered(PRIMARY, message.view);
    // A server that never started is told of below.
    else if (message.type === 'drain') drain(message.deadline, message.why).catch(() => {});
  });

  try {
    const { address } = await starting;
    send({ type: 'ready', ...(address !== undefined && { address }) });
  } catch (error) {
    if (isAway(error)) {
      // No mistake of anybody: it is tried again, in a while, for as long as it takes.
      log.error({ reason: error.message }, 'the server cannot start yet');
      process.exit(UNAVAILABLE_CODE);
    }
    const known = error instanceof ConfigError ? error.message : listenMistake(error, config, '');
    log.fatal(known === undefined ? { err: error } : {}, known ?? 'the server cannot start');
    process.exit(1);
  }
}

/**
 * Ends this process now. process.exit alone waits for native calls in libuv's threads (an image that
 * cannot be stopped: seconds to minutes); so the last of the exit listeners is SIGKILL.
 */
function vanish(): never {
  process.once('exit', () => process.kill(process.pid, 'SIGKILL'));
  return process.exit(1);
}
