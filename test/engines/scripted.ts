// How a test speaks with the thread of scripted-thread.ts.

import { once } from 'node:events';
import { Problem } from '../../src/problems.ts';
import { picture } from './pictures.ts';
import { gateOf, WIDTHS } from './scripted-thread.ts';

/** For `entry` of a pool. */
export const SCRIPTED = new URL('scripted-thread.ts', import.meta.url);

let heights = 5;

/** A height that no other picture of this file has had. */
export const newHeight = (): number => ++heights;

/** An image that stays in its thread, as if in native code, until it is told to go on. */
export async function stayingImage(): Promise<{ source: Uint8Array; begun: Promise<unknown>; go(): void }> {
  const height = newHeight();
  const source = await picture(WIDTHS.waits, height).png().toBuffer();
  const gate = gateOf(height);
  const begun = once(gate as unknown as EventTarget, 'message');
  return {
    source,
    begun,
    go() {
      gate.postMessage('go');
      gate.close();
    },
  };
}

/** How an attempt ends: `made`, or the code of its Problem. */
export const codeOf = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'made',
    (error: unknown) => (error instanceof Problem ? error.code : String(error)),
  );
