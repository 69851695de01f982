// What the primary and its processes say to each other.

import type { Hint } from '../contracts.ts';
import type { MetricSnapshot } from '../metrics/instruments.ts';
import type { MachineView, ProcessSample } from '../metrics/machine.ts';

/** The environment variable by which a process learns the name of its life; its jobs carry it. */
export const OWNER_VARIABLE = 'MEDIAMILL_OWNER';
/** That of the machine: the same for all processes of a primary, and for no others. */
export const MACHINE_VARIABLE = 'MEDIAMILL_MACHINE';

/** The exit code of a process that could not start because Redis or S3 do not answer (EX_TEMPFAIL of sysexits.h). */
export const UNAVAILABLE_CODE = 75;

/** Why a process is asked to leave: the server stops, a fresh process took its place, or an image of it cannot be stopped. */
export type DrainReason = 'stop' | 'reload' | 'overrun';

/** What a process tells of itself; without `value` it could not. Its metrics it also tells at its end. */
export type ReportMessage =
  | { readonly type: 'report'; readonly about: 'metrics'; readonly value?: readonly MetricSnapshot[] }
  | { readonly type: 'report'; readonly about: 'sample'; readonly value?: ProcessSample };

export type ToPrimary =
  /** At work; with an address it listens, and requests may come. */
  | { readonly type: 'ready'; readonly address?: string }
  /** An image overran its deadline and cannot be stopped: replace this process. */
  | { readonly type: 'overrun' }
  | ReportMessage
  /** How is the machine? */
  | { readonly type: 'machine' }
  | { readonly type: 'hint'; readonly hint: Hint };

export type ToProcess =
  /** Take nothing new, end what runs by `deadline` (milliseconds since 1970), leave. */
  | { readonly type: 'drain'; readonly deadline: number; readonly why: DrainReason }
  /** Tell of yourself. */
  | { readonly type: 'report'; readonly about: ReportMessage['about'] }
  | { readonly type: 'machine'; readonly view: MachineView }
  | { readonly type: 'hint'; readonly hint: Hint };
