// How long a source is that does not say so itself, as recordings of browsers do not: all its packets are read, none decoded.

import { GLOBAL, inputArguments } from './ffmpeg-command.ts';
import type { RunPlace } from './ffmpeg-command.ts';
import { FfmpegLog } from './ffmpeg-log.ts';
import { ProgressReader } from './ffmpeg-progress.ts';
import type { FfmpegTools } from './ffmpeg-tools.ts';

/**
 * Seconds of a file of the place, by its reference, or null if it cannot be told. One that is longer than the place
 * allows is measured to a second past that. Rejects when stopped.
 */
export async function measureDuration(
  from: string,
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
      ...inputArguments(
        { from, seek: 0, seconds: null, options: [] },
        // Or what is too long would seem to be just as long as it may be.
        { ...place, maxSeconds: place.maxSeconds + 1 },
      ),
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
