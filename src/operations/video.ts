// The table of video operations, and the schemas that follow from it.

import { z } from 'zod';

const side = z.coerce.number().int().min(16).max(8192);

const transcodeSchema = z.strictObject({
  type: z.literal('transcode'),
  format: z.enum(['mp4', 'webm']).default('mp4'),
  width: side.optional(),
  height: side.optional(),
});
const thumbnailSchema = z.strictObject({
  type: z.literal('thumbnail'),
  at: z.string().default('25%'),
  width: side.optional(),
  height: side.optional(),
  format: z.enum(['jpeg', 'png', 'webp']).default('jpeg'),
});

export const videoOutputSchema = z.discriminatedUnion('type', [transcodeSchema, thumbnailSchema]);
export type VideoOutput = z.output<typeof videoOutputSchema>;

/** `POST /v1/videos?…`: the parameters of `transcode`, and `poster=false` to leave the poster out. */
export const videoQuerySchema = transcodeSchema
  .omit({ type: true })
  .extend({ poster: z.stringbool().default(true) })
  .strict();
export type VideoQuery = z.output<typeof videoQuerySchema>;

/** The outputs that `POST /v1/videos` makes: `video`, and `poster` unless it was refused. */
export function videoOutputsFromQuery({ poster, ...transcode }: VideoQuery): Record<string, VideoOutput> {
  const video = transcodeSchema.parse({ type: 'transcode', ...transcode });
  return poster
    ? {
        video,
        poster: thumbnailSchema.parse({
          type: 'thumbnail',
          width: transcode.width,
          height: transcode.height,
        }),
      }
    : { video };
}
