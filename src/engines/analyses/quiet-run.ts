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

/**
 * What follows the prefixes of lines that a filter wrote, in order: `[Parsed_idet_0 @ 0x55…] …` up to the next such
 * line of any. Tags of the source are printed too, but never at the beginning of a line.
 */
export function saidBy(filter: string, text: string): string[] {
  // Only \n begins a line here: a tag may hold what JavaScript takes for line ends besides.
  return text
    .split(/(?<=^|\n)(?=\[Parsed_\w{1,60} @ \w{1,40}\])/)
    .filter((part) => new RegExp(`^\\[Parsed_${filter}_\\d+ @ `).test(part))
    .map((part) => part.slice(part.indexOf('] ') + 2));
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
        const all = text + chunk;
        // The mark keeps the end of a line from passing for a line of its own.
        text = all.length > MAX_TEXT ? `…${all.slice(-MAX_TEXT)}` : all;
      },
      end: () => undefined,
    },
    onProgress: () => undefined,
  });
  if (end.code === 0) return text;
  log?.debug({ code: end.code, signal: end.signal }, 'an analysis failed');
  return undefined;
}
