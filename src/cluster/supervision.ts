// What the supervisor knows and what it may ask for: the words of its policy, without the policy.

import type { DrainReason } from './messages.ts';

/** All in milliseconds. */
export const SUPERVISION = {
  /** A process that served for so long is healthy: when it dies it is forked again at once. */
  stable: 5_000,
  /** The first wait before a fork after a quick death; doubles each time. */
  firstBackoff: 100,
  longestBackoff: 30_000,
  /** The same while Redis or S3 do not answer: asking costs little, and people wait. */
  longestUnavailable: 5_000,
  /** A process that is not ready by then is stuck. */
  start: 60_000,
  /** How long a process whose image overran may answer its other requests. */
  overrun: 5_000,
  /** Between the deadline that a process is told and its SIGKILL: at the deadline encoders are stopped, and their jobs are handed back. */
  margin: 3_000,
  /** `npm start` passes Ctrl-C on although the terminal has sent it already: two signals so close are one. */
  sameSignal: 500,
} as const;

/** So many failed starts before anything was served, and the primary gives up. */
export const START_ATTEMPTS = 3;

/** What stops, and the exit code when it has to be told twice: 128 + the signal's number. */
export const STOP_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/**
 * `starting` → `serving` → `draining` → gone. A `doomed` one is as `draining` but still takes connections,
 * since no other process does: it leaves as soon as a fresh one is ready.
 */
export type ProcessPhase = 'starting' | 'serving' | 'doomed' | 'draining';

export interface ProcessState {
  slot: number;
  phase: ProcessPhase;
  /** When the phase began. */
  since: number;
  /** Of the program and files it was started with: how many reloads were asked for before its fork. */
  generation: number;
  overran: boolean;
  /** When SIGKILL is due. */
  killAt: number | null;
  killed: boolean;
}

export interface SlotState {
  /** The process that serves here, or is to. */
  occupant: number | null;
  /** Quick deaths in a row. */
  failures: number;
  /** When an empty slot is filled. */
  forkAt: number;
}

/** A rolling reload: one slot at a time gets a fresh process, then the old one leaves. */
export interface RollState {
  /** The fresh process that is starting beside the old one. */
  candidate: number | null;
  /** The old process that is leaving. */
  retiring: number | null;
}

export interface SupervisorState {
  /** How long requests and jobs get to end, in milliseconds. */
  readonly drain: number;
  slots: SlotState[];
  /** By an id that counts up; Linux uses pids again, and a fork that failed has none. */
  processes: Map<number, ProcessState>;
  nextId: number;
  generation: number;
  roll: RollState | null;
  rollQueued: boolean;
  /** A process was ready at some time: the settings are good. */
  served: boolean;
  failedStarts: number;
  announced: boolean;
  /** Dead processes whose jobs nobody has been told of, since nobody was there. */
  abandoned: number[];
  /** When the first stop signal came. */
  stoppingSince: number | null;
  ended: boolean;
}

export type SupervisorEvent =
  /** Time has passed; also the first event of all. */
  | { readonly type: 'tick' }
  | { readonly type: 'ready'; readonly process: number }
  | { readonly type: 'overrun'; readonly process: number }
  | {
      readonly type: 'exited';
      readonly process: number;
      readonly code: number | null;
      readonly signal: string | null;
    }
  | { readonly type: 'reload' }
  | { readonly type: 'stop'; readonly signal: keyof typeof STOP_CODES };

export type SupervisorAction =
  | { readonly type: 'fork'; readonly process: number; readonly slot: number }
  /** `deadline` on the clock of `now`. */
  | { readonly type: 'drain'; readonly process: number; readonly deadline: number; readonly why: DrainReason }
  /** SIGKILL: a process with a stuck native call does not even exit by itself. */
  | { readonly type: 'kill'; readonly process: number }
  /** Tell the living processes that this one's jobs have no owner any more. */
  | { readonly type: 'abandon'; readonly process: number }
  /** Every slot serves: tell people where. */
  | { readonly type: 'announce' }
  | {
      readonly type: 'log';
      readonly level: 'info' | 'warn' | 'error' | 'fatal';
      readonly message: string;
      readonly process?: number;
      readonly facts?: Readonly<Record<string, unknown>>;
    }
  | { readonly type: 'exit'; readonly code: number };

/** Nothing runs yet; the first tick forks. `drain` in milliseconds. */
export function initialState(options: {
  readonly processes: number;
  readonly drain: number;
}): SupervisorState {
  return {
    drain: options.drain,
    slots: Array.from({ length: options.processes }, () => ({ occupant: null, failures: 0, forkAt: 0 })),
    processes: new Map(),
    nextId: 1,
    generation: 0,
    roll: null,
    rollQueued: false,
    served: false,
    failedStarts: 0,
    announced: false,
    abandoned: [],
    stoppingSince: null,
    ended: false,
  };
}

/** When the next tick is due, or null if only an event can change anything. */
export function wakeAt(state: SupervisorState): number | null {
  const times: number[] = [];
  for (const { killAt, killed, phase, since } of state.processes.values()) {
    if (killAt !== null && !killed) times.push(killAt);
    if (phase === 'doomed') times.push(since + SUPERVISION.overrun);
  }
  if (state.stoppingSince === null) {
    for (const [index, slot] of state.slots.entries()) {
      if (slot.occupant === null && maySlotStart(state, index)) times.push(slot.forkAt);
    }
  }
  return times.length === 0 ? null : Math.min(...times);
}

/** Milliseconds until the next fork after so many quick deaths in a row. */
export function backoff(failures: number, isUnavailable: boolean): number {
  if (failures === 0) return 0;
  const longest = isUnavailable ? SUPERVISION.longestUnavailable : SUPERVISION.longestBackoff;
  return Math.min(SUPERVISION.firstBackoff * 2 ** (failures - 1), longest);
}

/** The first process goes ahead alone: it prepares the database for all, and a mistake in the settings is told once. */
export function maySlotStart(state: SupervisorState, slot: number): boolean {
  return state.served || slot === 0;
}
