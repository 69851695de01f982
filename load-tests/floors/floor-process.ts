// A floor: what the server's figure is held against, in a process of its own, asked and answered by messages.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CheckFailed } from '../check.ts';

export interface FloorProcess extends AsyncDisposable {
  readonly pid: number;
  /** Its first message. */
  readonly hello: unknown;
  /** Sends a message and waits for the one that answers it. */
  ask(request: object): Promise<unknown>;
}

/** Starts a floor and waits for its first message. `env` is added to the environment. */
export async function startFloor(
  script: URL,
  options: { args: readonly string[]; env?: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<FloorProcess> {
  const child = fork(fileURLToPath(script), options.args, {
    env: { ...process.env, ...options.env },
    // None of this program's own, such as a test runner's.
    execArgv: [],
    serialization: 'advanced',
  });
  // Also when it does not start: then there is no 'exit', but an error, which `next` tells.
  const gone = once(child, 'exit').catch(() => {});
  const next = async (): Promise<unknown> => {
    const waiting = new AbortController();
    const signal = AbortSignal.any([options.signal, waiting.signal]);
    try {
      const died = once(child, 'exit', { signal }).then(([code]): never => {
        throw new CheckFailed(`the floor ${script.pathname} ended with exit code ${String(code)}`);
      });
      const [reply] = (await Promise.race([once(child, 'message', { signal }), died])) as [unknown];
      return reply;
    } finally {
      waiting.abort();
    }
  };
  const dispose = async (): Promise<void> => {
    if (child.connected) child.disconnect();
    // It ends by itself without its channel, once it has done what it was asked last.
    await gone;
  };
  try {
    const hello = await next();
    return {
      hello,
      pid: child.pid as number,
      async ask(request) {
        const reply = next();
        child.send(request);
        return reply;
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    child.kill('SIGKILL');
    await gone;
    throw error;
  }
}
