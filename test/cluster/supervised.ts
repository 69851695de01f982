// The policy of the primary on a clock of the test's own: no process, no signal.

import { UNAVAILABLE_CODE } from '../../src/cluster/messages.ts';
import { initialState, wakeAt } from '../../src/cluster/supervision.ts';
import type { SupervisorAction, SupervisorEvent, SupervisorState } from '../../src/cluster/supervision.ts';
import { supervise } from '../../src/cluster/supervisor.ts';

/** Milliseconds that a process gets to drain. */
export const DRAIN = 20_000;

/** A supervisor; its actions are written as short words. */
export class Supervised {
  state: SupervisorState;
  now = 0;

  constructor(processes = 2) {
    this.state = initialState({ processes, drain: DRAIN });
  }

  /** The actions of an event, without the log. */
  on(event: SupervisorEvent): string[] {
    return this.all(event).flatMap((action) => (action.type === 'log' ? [] : [word(action, this.now)]));
  }

  all(event: SupervisorEvent): SupervisorAction[] {
    const before = freeze(this.state);
    const { state, actions } = supervise(before, event, this.now);
    this.state = state;
    return actions;
  }

  ready = (process: number): string[] => this.on({ type: 'ready', process });
  overrun = (process: number): string[] => this.on({ type: 'overrun', process });
  died = (process: number, signal = 'SIGKILL'): string[] =>
    this.on({ type: 'exited', process, code: null, signal });
  unavailable = (process: number): string[] =>
    this.on({ type: 'exited', process, code: UNAVAILABLE_CODE, signal: null });
  left = (process: number): string[] => this.on({ type: 'exited', process, code: 0, signal: null });
  reload = (): string[] => this.on({ type: 'reload' });
  stop = (signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM'): string[] => this.on({ type: 'stop', signal });

  /** Lets time pass in one step. */
  pass(ms: number): string[] {
    this.now += ms;
    return this.on({ type: 'tick' });
  }

  /** Milliseconds until the next tick is due. */
  get wait(): number | null {
    const due = wakeAt(this.state);
    return due === null ? null : due - this.now;
  }
}

function word(action: SupervisorAction, now: number): string {
  switch (action.type) {
    case 'fork':
      return `fork ${action.process} in ${action.slot}`;
    case 'drain':
      return `drain ${action.process} ${action.why} ${action.deadline - now}`;
    case 'kill':
    case 'abandon':
      return `${action.type} ${action.process}`;
    case 'exit':
      return `exit ${action.code}`;
    default:
      return action.type;
  }
}

/** The policy must not change what it is given. */
function freeze(state: SupervisorState): SupervisorState {
  for (const slot of state.slots) Object.freeze(slot);
  for (const process of state.processes.values()) Object.freeze(process);
  Object.freeze(state.abandoned);
  if (state.roll !== null) Object.freeze(state.roll);
  return Object.freeze(state);
}

/** All slots serve: process 1 in slot 0, 2 in slot 1 …, and have done so for long. */
export function serving(processes = 2): Supervised {
  const all = new Supervised(processes);
  all.pass(0);
  for (let id = 1; id <= processes; id += 1) all.ready(id);
  all.now = 100_000;
  return all;
}
