// Ends a program that a test has started.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Sends the signal and resolves when it has ended; at once where it has already, or never began. */
export async function endChild(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
