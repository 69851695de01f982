// What an image pool is told when it is made.

import type { HintBus } from '../contracts.ts';

export interface ImagePoolOptions {
  readonly threads: number;
  /** Images that may wait for a thread. Patient ones (of jobs) wait beside them and are not counted. */
  readonly queue: number;
  /** Of a source and of a rendition: width × height × frames. */
  readonly maxPixels: number;
  readonly maxFrames: number;
  /** SVG sources are rasterised; else they are refused. */
  readonly allowSvg?: boolean;
  /** Decoded bytes of all images in work: width × height × 4 × frames. */
  readonly memoryBytes: number;
  /** A pass of sharp that takes longer costs the process. */
  readonly deadlineSeconds: number;
  /** Quarantined sources are told to, and heard of from, the other processes. */
  readonly hints?: HintBus;
  /** Called once: a thread is stuck in native code, which nothing can stop. The process must be replaced. */
  readonly onOverrun: () => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly log?: PoolLog;
  /** The thread's file, for tests. */
  readonly entry?: URL;
}

/** What of pino is needed. */
export interface PoolLog {
  error(details: object, message: string): void;
}
