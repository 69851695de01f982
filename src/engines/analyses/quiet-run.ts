// A run of FFmpeg whose result is what it prints.

import type { RunInput } from '../../operations/video/run.ts';
import type { AnalysisContext } from '../analyse.ts';
import { inputArguments } from '../ffmpeg-command.ts';

const MAX_TEXT = 64 * 1024;

export interface QuietRun {
  readonly input: RunInput;
  /** Everything after the inputs. */
  readonly output: readonly string[];
}

/** The last 64 KiB of what it said at level info, or undefined if it failed. Rejects when stopped. */
export async function quietRun(
  { tools, place, signal, log }: AnalysisContext,
  { input, output }: QuietRun,
): Promise<string | undefined> {
  let text = '';
  const end = await tools.ffmpeg({
    args: [
      '-nostdin',
      '-hide_banner',
      '-y',
      '-nostats',
      '-loglevel',
      'info',
      ...inputArguments(input, place),
      ...output,
    ],
    scratch: place.scratch,
    fileBytes: 0,
    signal,
    log: {
      feed: (chunk) => {
        text = (text + chunk).slice(-MAX_TEXT);
      },
      end: () => undefined,
    },
    onProgress: () => undefined,
  });
  if (end.code === 0) return text;
  log?.debug({ code: end.code, signal: end.signal }, 'an analysis failed');
  return undefined;
}
