// The table of video operations, and the schemas that follow from it.

import { z } from 'zod';
import { audio } from './video/audio.ts';
import { concat } from './video/concat.ts';
import { hls } from './video/hls.ts';
import { preview } from './video/preview.ts';
import { probe } from './video/probe.ts';
import { storyboard } from './video/storyboard.ts';
import { thumbnail } from './video/thumbnail.ts';
import { transcode } from './video/transcode.ts';
import { checkTranscode, transcodeFields } from './video/transcode-fields.ts';
import { watermarkFromQuery, watermarkQuery } from './video/watermark.ts';
import { waveform } from './video/waveform.ts';
import { looseBoolean } from '../lib/loose-scalar.ts';
import { Problem } from '../problems.ts';
import type { Analysis } from './video/analysis.ts';
import { withChunks } from './video/chunk-plan.ts';
import type { OutputPart, Source, VideoOperation } from './video-operation.ts';

/** Adding a kind of output: its file in `video/`, and one line here. */
export const videoOperations = {
  transcode,
  hls,
  thumbnail,
  storyboard,
  preview,
  audio,
  waveform,
  probe,
  concat,
} as const;

export const videoOutputSchema = z.discriminatedUnion('type', [
  transcode.params,
  hls.params,
  thumbnail.params,
  storyboard.params,
  preview.params,
  audio.params,
  waveform.params,
  probe.params,
  concat.params,
]);
export type VideoOutput = z.output<typeof videoOutputSchema>;

/** The table pairs each name with the functions for its parameters, which TypeScript cannot follow. */
function operationOf({ type }: VideoOutput): Pick<VideoOperation, 'analyses' | 'assets' | 'plan'> {
  return videoOperations[type];
}

/** One output's part of the FFmpeg command. Throws Problem (`stream_missing` …). */
export function planOutput(output: VideoOutput, source: Source): OutputPart {
  return withChunks(operationOf(output).plan(output, source), source);
}

/** The parts of all outputs, by their names. Throws Problem, which says of which output it is where there are several. */
export function planOutputs(
  outputs: Readonly<Record<string, VideoOutput>>,
  source: Source,
): Readonly<Record<string, OutputPart>> {
  const entries = Object.entries(outputs);
  const plan = (name: string, output: VideoOutput): OutputPart => {
    try {
      return planOutput(output, source);
    } catch (error) {
      if (!(error instanceof Problem) || entries.length === 1) throw error;
      throw new Problem(error.code, `Output "${name}": ${error.message}`, { cause: error });
    }
  };
  return Object.fromEntries(entries.map(([name, output]) => [name, plan(name, output)]));
}

/** What must be found out before an output can be planned well. */
export function analysesOf(output: VideoOutput, source: Source): readonly Analysis[] {
  return operationOf(output).analyses?.(output, source) ?? [];
}

/** References of the other files that outputs need, each once. */
export function videoAssetsOf(outputs: readonly VideoOutput[]): readonly string[] {
  return [...new Set(outputs.flatMap((output) => operationOf(output).assets?.(output) ?? []))];
}

/** `POST /v1/videos?…`: the parameters of `transcode`, and `poster=false` to leave the poster out. */
export const videoQuerySchema = z
  .strictObject({
    ...transcodeFields,
    watermark: watermarkQuery.optional(),
    poster: looseBoolean(true)
      .optional()
      .describe('`false` leaves out the poster, a JPEG of a quarter into the video'),
    delivery: z
      .enum(['job', 'stream'])
      .default('job')
      .describe(
        '`job` answers with a job to follow; `stream` answers with the video itself while it is encoded, and makes no poster',
      ),
  })
  .superRefine(checkTranscode)
  .superRefine(checkDelivery);
export type VideoQuery = z.output<typeof videoQuerySchema>;

/** One file can be streamed, and no more. */
function checkDelivery(
  { delivery, poster, subtitles }: { delivery: string; poster?: boolean | undefined; subtitles?: unknown },
  context: z.core.$RefinementCtx,
): void {
  if (delivery !== 'stream') return;
  const wrong = (field: string, what: string) => {
    const message = `delivery=stream answers with the video alone: ${what}, or ask for delivery=job`;
    context.addIssue({ code: 'custom', path: [field], message });
  };
  if (poster === true) wrong('poster', 'leave `poster` out');
  if (subtitles === 'keep') wrong('subtitles', 'subtitles kept are files beside it. Leave them out');
}

/** The outputs that `POST /v1/videos` makes: `video`, and `poster` unless it was refused. */
export function videoOutputsFromQuery({ poster, delivery, watermark, ...asked }: VideoQuery): {
  video: VideoOutput;
  poster?: VideoOutput;
} {
  const video = transcode.params.parse({
    type: 'transcode',
    ...asked,
    ...(watermark !== undefined && { watermark: watermarkFromQuery(watermark) }),
  });
  if (poster === false || delivery === 'stream') return { video };
  const { width, height, fit, rotate, flip } = asked;
  return {
    video,
    poster: thumbnail.params.parse({
      type: 'thumbnail',
      ...{ width, height, fit, rotate, flip },
      at: posterMoment(asked),
    }),
  };
}

/** A quarter into what the video shows, as far as that can be told without the source's duration. */
function posterMoment({ start, end }: Pick<VideoQuery, 'start' | 'end'>): number | string {
  if (start === undefined && end === undefined) return '25%';
  const from = start ?? 0;
  return end === undefined ? from : from + (end - from) / 4;
}
