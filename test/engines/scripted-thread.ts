// A stand-in for the image thread: what it does is said by the width of the picture.

import { once } from 'node:events';
import type { RenderAnswer, RenderTask } from '../../src/engines/image-task.ts';
import render from '../../workers/image.ts';

/** Widths that make it misbehave; all others are rendered as ever. */
export const WIDTHS = { exits: 13, throws: 17, waits: 19, counts: 23 } as const;

/** What a waiting thread is reached by. Every test that uses it has a name of its own for it: its picture's height. */
export const gateOf = (height: number): BroadcastChannel => new BroadcastChannel(`mediamill-test-${height}`);

export default async function misbehave(task: RenderTask): Promise<RenderAnswer> {
  const { width, height } = task.header;
  if (width === WIDTHS.exits) process.exit(13);
  if (width === WIDTHS.throws) throw new TypeError('thrown in the thread, of /srv/secret');
  if (width === WIDTHS.counts) {
    const answer = await render(task);
    const gate = gateOf(height);
    gate.postMessage(Atomics.load(task.beat, 0));
    gate.close();
    return answer;
  }
  if (width !== WIDTHS.waits) return render(task);
  Atomics.add(task.beat, 0, 1);
  const gate = gateOf(height);
  const opened = once(gate as unknown as EventTarget, 'message');
  gate.postMessage('begun');
  await opened;
  gate.close();
  return render(task);
}
