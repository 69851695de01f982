// The policy of the primary: state + event + time → state + actions. Pure; `primary.ts` carries the actions out.

import { UNAVAILABLE_CODE } from './messages.ts';
import type { DrainReason } from './messages.ts';
import { backoff, maySlotStart, START_ATTEMPTS, STOP_CODES, SUPERVISION } from './supervision.ts';
import type {
  ProcessState,
  SlotState,
  SupervisorAction,
  SupervisorEvent,
  SupervisorState,
} from './supervision.ts';

/** A copy of the state that one event may change, and what it leads to. */
interface Step {
  readonly state: SupervisorState;
  readonly actions: SupervisorAction[];
  readonly now: number;
}

/**
 * What follows from an event. `now` in milliseconds on a clock that never jumps. Call it again with a tick
 * at `wakeAt(state)`. Events of processes that are already gone mean nothing.
 */
export function supervise(
  before: SupervisorState,
  event: SupervisorEvent,
  now: number,
): { state: SupervisorState; actions: SupervisorAction[] } {
  const step: Step = { state: structuredClone(before), actions: [], now };
  if (!step.state.ended) take(step, event);
  if (!step.state.ended) settle(step);
  return { state: step.state, actions: step.actions };
}

function take(step: Step, event: SupervisorEvent): void {
  switch (event.type) {
    case 'tick':
      return;
    case 'ready':
      return ready(step, event.process);
    case 'overrun':
      return overran(step, event.process);
    case 'exited':
      return exited(step, event);
    case 'reload':
      return reload(step);
    case 'stop':
      return stop(step, event.signal);
  }
}

function ready(step: Step, id: number): void {
  const { state, now } = step;
  const fresh = state.processes.get(id);
  if (fresh?.phase !== 'starting') return;
  Object.assign(fresh, { phase: 'serving', since: now, killAt: null } satisfies Partial<ProcessState>);
  state.served = true;
  if (state.roll?.candidate !== id) return;
  const slot = slotOf(state, fresh);
  const old = slot.occupant;
  slot.occupant = id;
  state.roll.candidate = null;
  if (old === null || old === id) return;
  state.roll.retiring = old;
  drain(step, old, 'reload', state.drain);
}

function overran(step: Step, id: number): void {
  const { state, now } = step;
  const stuck = state.processes.get(id);
  if (stuck === undefined || stuck.phase === 'starting' || stuck.overran) return;
  stuck.overran = true;
  if (stuck.phase === 'draining') {
    // Leaving already; but it cannot become idle any more, so there is no use in waiting for long.
    stuck.killAt = Math.min(stuck.killAt ?? Infinity, now + SUPERVISION.overrun + SUPERVISION.margin);
    return;
  }
  stuck.phase = 'doomed';
  stuck.since = now;
  log(step, 'error', 'an image took too long and cannot be stopped: its process is replaced', id);
  vacate(step, stuck.slot, now);
}

function exited(step: Step, event: Extract<SupervisorEvent, { type: 'exited' }>): void {
  const { state } = step;
  const id = event.process;
  const gone = state.processes.get(id);
  if (gone === undefined) return;
  state.processes.delete(id);
  // One that never began holds nothing that must be told of, and there may be thousands of them in an outage.
  if (event.code === UNAVAILABLE_CODE) step.actions.push({ type: 'abandon', process: id });
  else state.abandoned.push(id);
  if (state.stoppingSince !== null) return;
  const lost = slotOf(state, gone).occupant === id;
  if (lost) replace(step, gone, event);
  else if (gone.phase === 'draining' || gone.phase === 'doomed') log(step, 'info', 'process left', id);
  if (state.ended) return;
  if (state.roll?.retiring === id) state.roll.retiring = null;
  if (state.roll?.candidate === id) {
    const message = 'reload given up: the fresh process did not start; the old ones serve on';
    log(step, 'error', message, id, { code: event.code, signal: event.signal });
    state.roll = null;
  }
}

/** The process of a slot died: when is the next one forked? */
function replace(step: Step, gone: ProcessState, event: Extract<SupervisorEvent, { type: 'exited' }>): void {
  const { state, now } = step;
  const slot = slotOf(state, gone);
  const started = gone.phase !== 'starting';
  // What is kept elsewhere cannot be reached: the settings may be right, and nobody gives up for that.
  const isUnavailable = !started && event.code === UNAVAILABLE_CODE;
  if (!started && !isUnavailable && !state.served) state.failedStarts += 1;
  slot.failures = started && now - gone.since >= SUPERVISION.stable ? 0 : slot.failures + 1;
  const wait = backoff(slot.failures, isUnavailable);
  const facts = { slot: gone.slot, code: event.code, signal: event.signal };
  if (state.failedStarts >= START_ATTEMPTS) {
    const message = `no process could start, ${START_ATTEMPTS} times in a row: giving up; the lines above say why`;
    log(step, 'fatal', message, event.process, facts);
    return end(step, 1);
  }
  const message = started ? 'process died' : 'process did not start';
  log(step, 'error', message, event.process, { ...facts, failures: slot.failures, forkInMs: wait });
  vacate(step, gone.slot, now + wait);
}

/** Empties a slot; a reload's fresh process that is starting there moves in. */
function vacate({ state }: Step, index: number, forkAt: number): void {
  const candidate = state.roll?.candidate ?? null;
  const moves = candidate !== null && state.processes.get(candidate)?.slot === index;
  Object.assign(slotOf(state, { slot: index }), { occupant: moves ? candidate : null, forkAt });
  state.announced = false;
}

function reload(step: Step): void {
  if (step.state.stoppingSince !== null) return;
  if (step.state.roll !== null) step.state.rollQueued = true;
  else beginRoll(step);
}

function beginRoll(step: Step): void {
  const { state, now } = step;
  state.roll = { candidate: null, retiring: null };
  state.rollQueued = false;
  state.generation += 1;
  // What made processes fail may have been mended just now.
  for (const slot of state.slots) slot.forkAt = Math.min(slot.forkAt, now);
  log(step, 'info', 'reloading');
}

function stop(step: Step, signal: keyof typeof STOP_CODES): void {
  const { state, now } = step;
  if (state.stoppingSince !== null) {
    if (now - state.stoppingSince < SUPERVISION.sameSignal) return;
    log(step, 'warn', 'stopping at once', undefined, { signal });
    for (const id of state.processes.keys()) kill(step, id);
    return end(step, STOP_CODES[signal]);
  }
  state.stoppingSince = now;
  state.roll = null;
  state.rollQueued = false;
  log(step, 'info', 'stopping', undefined, { signal, secondsAtMost: state.drain / 1000 });
  for (const [id, { overran: stuck }] of state.processes) {
    drain(step, id, 'stop', stuck ? Math.min(SUPERVISION.overrun, state.drain) : state.drain);
  }
}

/** Everything that follows from the state alone, whatever event has made it so. */
function settle(step: Step): void {
  killOverdue(step);
  if (step.state.stoppingSince !== null) {
    if (step.state.processes.size === 0) end(step, 0);
    return;
  }
  dismissDoomed(step);
  fillSlots(step);
  continueRoll(step);
  tell(step);
}

function killOverdue(step: Step): void {
  for (const [id, { killAt, killed, phase, overran: stuck }] of step.state.processes) {
    if (killAt === null || killAt > step.now || killed) continue;
    if (phase === 'starting') log(step, 'error', 'process was not ready in time: killed', id);
    else if (!stuck) log(step, 'warn', 'process did not leave in time: killed', id);
    kill(step, id);
  }
}

function dismissDoomed(step: Step): void {
  const { state, now } = step;
  const others = [...state.processes.values()].some(({ phase }) => phase === 'serving');
  const stuck = [...state.processes].filter(([, { overran: is, killed }]) => is && !killed);
  // Each burns its threads until it is killed: whoever sends such images must not make ever more of them.
  for (const [id] of stuck.slice(0, -state.slots.length)) kill(step, id);
  for (const [id, { phase, since, killed }] of stuck) {
    if (phase !== 'doomed' || killed) continue;
    // The last one to listen stays until a fresh one is ready: without it the port would be closed meanwhile.
    if (others || now >= since + SUPERVISION.overrun) drain(step, id, 'overrun', SUPERVISION.overrun);
  }
}

function fillSlots(step: Step): void {
  const { state, now } = step;
  for (const [index, slot] of state.slots.entries()) {
    if (slot.occupant !== null || slot.forkAt > now || !maySlotStart(state, index)) continue;
    slot.occupant = fork(step, index);
  }
}

function continueRoll(step: Step): void {
  const { state } = step;
  if (state.roll === null && state.rollQueued) beginRoll(step);
  if (state.roll === null || state.roll.candidate !== null || state.roll.retiring !== null) return;
  const old = state.slots.flatMap(({ occupant }) => {
    const process = occupant === null ? undefined : state.processes.get(occupant);
    return process === undefined || process.generation === state.generation ? [] : [process];
  });
  const next = old.find(({ phase }) => phase === 'serving');
  if (next !== undefined) {
    state.roll.candidate = fork(step, next.slot);
  } else if (old.length === 0) {
    log(step, 'info', 'reloaded');
    state.roll = null;
    if (state.rollQueued) continueRoll(step);
  }
}

function tell({ state, actions }: Step): void {
  const serving = new Set(
    [...state.processes].flatMap(([id, { phase }]) => (phase === 'serving' ? [id] : [])),
  );
  if (serving.size === 0) return;
  for (const process of state.abandoned) actions.push({ type: 'abandon', process });
  state.abandoned = [];
  if (state.announced || !state.slots.every(({ occupant }) => serving.has(occupant ?? -1))) return;
  state.announced = true;
  actions.push({ type: 'announce' });
}

function fork({ state, actions, now }: Step, slot: number): number {
  const id = state.nextId;
  state.nextId += 1;
  state.processes.set(id, {
    slot,
    phase: 'starting',
    since: now,
    generation: state.generation,
    overran: false,
    killAt: now + SUPERVISION.start,
    killed: false,
  });
  actions.push({ type: 'fork', process: id, slot });
  return id;
}

/** Asks a process to leave within `time` milliseconds, unless it was asked before. */
function drain({ state, actions, now }: Step, id: number, why: DrainReason, time: number): void {
  const process = state.processes.get(id);
  if (process === undefined || process.phase === 'draining') return;
  const deadline = now + time;
  Object.assign(process, {
    phase: 'draining',
    since: now,
    killAt: deadline + SUPERVISION.margin,
  } satisfies Partial<ProcessState>);
  actions.push({ type: 'drain', process: id, deadline, why });
}

function kill({ state, actions }: Step, id: number): void {
  const process = state.processes.get(id);
  if (process === undefined || process.killed) return;
  process.killed = true;
  actions.push({ type: 'kill', process: id });
}

function end({ state, actions }: Step, code: number): void {
  state.ended = true;
  actions.push({ type: 'exit', code });
}

function log(
  { actions }: Step,
  level: 'info' | 'warn' | 'error' | 'fatal',
  message: string,
  process?: number,
  facts: Readonly<Record<string, unknown>> = {},
): void {
  actions.push({ type: 'log', level, message, facts, ...(process === undefined ? {} : { process }) });
}

function slotOf(state: SupervisorState, { slot }: { readonly slot: number }): SlotState {
  const found = state.slots[slot];
  if (found === undefined) throw new RangeError(`there is no slot ${slot}`);
  return found;
}
