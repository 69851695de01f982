// A stand-in for the image thread: what it does is said by the width of the picture.

import render from '../../workers/image.ts';
import type { RenderAnswer, RenderTask } from '../../src/engines/image-task.ts';

export default async function misbehave(task: RenderTask): Promise<RenderAnswer> {
  if (task.header.width === 13) process.exit(13);
  if (task.header.width === 17) throw new TypeError('thrown in the thread of /srv/secret');
  return render(task);
}
