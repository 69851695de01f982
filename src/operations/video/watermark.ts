// A picture laid over every frame: how large it is and where it lies, in shares of the frame.

import { z } from 'zod';
import { Problem } from '../../problems.ts';
import { compassOf, GRAVITIES, placed } from '../image/gravity.ts';
import { mainVideo } from '../media-probe.ts';
import type { VideoStream } from '../media-probe.ts';
import type { Overlay, Size, Source } from '../video-operation.ts';
import { number } from './fields.ts';
import { hdrKind } from './frames.ts';
import { shownSize } from './geometry.ts';

const REFERENCE = 'upload:[A-Za-z0-9_-]{1,64}';

export const watermarkFields = z.strictObject({
  image: z
    .string()
    .max(80)
    .regex(new RegExp(`^${REFERENCE}$`), 'write upload: and the id of an upload')
    .describe('The picture: `upload:{id}` of a PNG, JPEG or WebP'),
  gravity: z.enum(GRAVITIES).default('southeast').describe('Where it lies: a compass direction, or centre'),
  width: number(0.01, 1)
    .default(0.15)
    .describe('Its width as a part of the width of the video, 0.01–1. Default: 0.15'),
  margin: number(0, 0.5)
    .default(0.03)
    .describe(
      'Its distance from the edges, as a part of the shorter side of the video, 0–0.5. Default: 0.03',
    ),
  opacity: number(0, 1).default(1).describe('How much of it is to be seen: 0 (nothing) to 1. Default: 1'),
});
export type Watermark = z.output<typeof watermarkFields>;

/** The same in a query, as for images: `gravity,width,opacity,upload:{id}`. */
export const watermarkQuery = z
  .string()
  .max(120)
  .regex(
    new RegExp(String.raw`^[a-z]{3,9},(?:0\.\d{1,3}|1),(?:0(?:\.\d{1,3})?|1),${REFERENCE}$`),
    'write gravity,width,opacity,image, e.g. watermark=southeast,0.2,0.8,upload:abc',
  )
  .refine(
    (text) => watermarkFields.safeParse(watermarkFromQuery(text)).success,
    'the gravity is a compass direction or centre, the width 0.01–1, the opacity 0–1',
  )
  .describe('A picture laid over the video: gravity,width,opacity,image; see the operation transcode');

/** From the query's form to the parameters, which are still to be checked. */
export function watermarkFromQuery(text: string): z.input<typeof watermarkFields> {
  const [gravity, width, opacity, image] = text.split(',');
  return { gravity, width, opacity, image } as z.input<typeof watermarkFields>;
}

const TYPES = ['image/png', 'image/jpeg', 'image/webp'];

/** `frame` is the finished frame that it lies on. Throws Problem `recipe_invalid` if it is no picture. */
export function watermarkOverlay(
  { image, gravity, width, margin, opacity }: Watermark,
  frame: Size,
  source: Source,
  video: VideoStream,
): Overlay {
  const size = fitted(pictureSize(image, source), width, frame);
  const edge = Math.round(margin * Math.min(frame.width, frame.height));
  const compass = compassOf(gravity);
  // Only where it lies at an edge: in the middle there is nothing to keep away from.
  const offset = {
    x: /west|east/.test(compass) ? edge : 0,
    y: /north|south/.test(compass) ? edge : 0,
  };
  const { left, top } = placed(gravity, frame, size, offset);
  return {
    from: image,
    filters: [
      `scale=${size.width}:${size.height}:out_color_matrix=${matrixOf(frame, video)}:out_range=tv`,
      'format=yuva420p',
      ...(opacity < 1 ? [`lutyuv=a=val*${opacity.toFixed(3)}`] : []),
    ],
    place: `x=${left}:y=${top}`,
  };
}

function pictureSize(image: string, { assets }: Source): Size {
  const asset = assets.get(image);
  const picture = asset === undefined ? null : mainVideo(asset.probe);
  if (asset === undefined || picture === null || !TYPES.includes(asset.mediaType)) {
    const what = asset === undefined ? 'is not there' : `is ${asset.mediaType}`;
    throw new Problem(
      'recipe_invalid',
      `The watermark ${image} ${what}. Upload a PNG, JPEG or WebP, and name it by "upload:" and its id.`,
    );
  }
  return shownSize(picture);
}

/** As wide as was asked for, but never higher than the frame. */
function fitted(picture: Size, share: number, frame: Size): Size {
  const scale = Math.min((share * frame.width) / picture.width, frame.height / picture.height);
  const side = (length: number): number => Math.max(1, Math.round(length * scale));
  return { width: side(picture.width), height: side(picture.height) };
}

/** What the colours of the frames mean. Where nobody says, players go by the size. */
function matrixOf({ height }: Size, video: VideoStream): 'bt709' | 'bt601' {
  if (video.matrix === 'bt709' || hdrKind(video) !== null) return 'bt709';
  return video.matrix === null && height >= 720 ? 'bt709' : 'bt601';
}
