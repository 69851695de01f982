// The table of video operations, and the schemas that follow from it.

import { z } from 'zod';
import { thumbnail } from './video/thumbnail.ts';
import { checkTranscode, transcode, transcodeFields } from './video/transcode.ts';
import { looseBoolean } from '../lib/loose-scalar.ts';
import type { OutputPart, Source } from './video-operation.ts';

/** Adding a kind of output: its file in `video/`, and one line here. */
export const videoOperations = { transcode, thumbnail } as const;

export const videoOutputSchema = z.discriminatedUnion('type', [transcode.params, thumbnail.params]);
export type VideoOutput = z.output<typeof videoOutputSchema>;

/** One output's part of the FFmpeg command. Throws Problem (`stream_missing` …). */
export function planOutput(output: VideoOutput, source: Source): OutputPart {
  // The table pairs each name with the function for its parameters, which TypeScript cannot follow.
  const operation = videoOperations[output.type] as unknown as {
    plan(params: VideoOutput, source: Source): OutputPart;
  };
  return operation.plan(output, source);
}

/** `POST /v1/videos?…`: the parameters of `transcode`, and `poster=false` to leave the poster out. */
export const videoQuerySchema = z
  .strictObject({
    ...transcodeFields,
    poster: looseBoolean(true)
      .optional()
      .describe('`false` leaves out the poster, a JPEG of a quarter into the video'),
  })
  .superRefine(checkTranscode);
export type VideoQuery = z.output<typeof videoQuerySchema>;

/** The outputs that `POST /v1/videos` makes: `video`, and `poster` unless it was refused. */
export function videoOutputsFromQuery({ poster, ...asked }: VideoQuery): {
  video: VideoOutput;
  poster?: VideoOutput;
} {
  const video = transcode.params.parse({ type: 'transcode', ...asked });
  if (poster === false) return { video };
  const { width, height, fit } = asked;
  return {
    video,
    poster: thumbnail.params.parse({ type: 'thumbnail', width, height, fit, at: posterMoment(asked) }),
  };
}

/** A quarter into what the video shows, as far as that can be told without the source's duration. */
function posterMoment({ start, end }: Pick<VideoQuery, 'start' | 'end'>): number | string {
  if (start === undefined && end === undefined) return '25%';
  const from = start ?? 0;
  return end === undefined ? from : from + (end - from) / 4;
}
