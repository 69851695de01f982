// How long a source is that does not say so itself, as recordings of browsers do not: all its packets are read, none decoded.

import { GLOBAL, inputArguments } from './ffmpeg-command.ts';
import type { RunPlace } from './ffmpeg-command.ts';
import { FfmpegLog } from './ffmpeg-log.ts';
import { ProgressReader } from './ffmpeg-progress.ts';
import type { FfmpegTools } from './ffmpeg-tools.ts';

/** Seconds, or null if it cannot be told. Rejects when stopped. */
export async function measureDuration(
  tools: FfmpegTools,
  place: RunPlace,
  signal: AbortSignal,
): Promise<number | null> {
  let seconds: number | null = null;
  const reader = new ProgressReader(({ outSeconds }) => {
    seconds = outSeconds ?? seconds;
  });
  const end = await tools.ffmpeg({
    args: [
      ...GLOBAL,
      ...inputArguments({ from: 'source', seek: 0, seconds: null, options: [] }, place),
      ...'-map 0:v? -map 0:a? -c copy -f null -'.split(' '),
    ],
    scratch: place.scratch,
    fileBytes: 0,
    signal,
    log: new FfmpegLog(),
    onProgress: (text) => reader.feed(text),
  });
  return end.code === 0 && seconds !== null && seconds > 0 ? seconds : null;
}
