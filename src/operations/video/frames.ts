// From the source's frames to frames that can be shown anywhere: progressive, square pixels, 8-bit 4:2:0, SDR.

import type { VideoStream } from '../media-probe.ts';
import type { Size, Source } from '../video-operation.ts';
import { hasSquarePixels, shownSize } from './geometry.ts';

/** FFmpeg's names of the HDR transfer curves, and zscale's. */
const HDR: Readonly<Record<string, { readonly name: string; readonly zscale: string }>> = {
  smpte2084: { name: 'HDR10', zscale: 'smpte2084' },
  'arib-std-b67': { name: 'HLG', zscale: 'arib-std-b67' },
};
/** FFmpeg's names of the matrices and primaries that HDR comes in, and zscale's. Anything else is taken for BT.2020. */
const MATRICES: Readonly<Record<string, string>> = { bt2020nc: '2020_ncl', bt2020c: '2020_cl', bt709: '709' };
const PRIMARIES: Readonly<Record<string, string>> = { bt2020: '2020', bt709: '709', smpte432: 'smpte432' };

/** The name of the source's HDR kind, or null for SDR. */
export function hdrKind({ transfer }: Pick<VideoStream, 'transfer'>): string | null {
  return HDR[transfer ?? '']?.name ?? null;
}

function canToneMap({ filters }: Pick<Source, 'filters'>): boolean {
  return filters.has('zscale') && filters.has('tonemap');
}

/**
 * Filters from the decoder's frames (FFmpeg has turned them upright by then) to finished ones of a size. Tone-mapping
 * comes after scaling: it is the dearest part, and works on fewer pixels there. `fps` forces a rate.
 */
export function toFrames(
  source: Source,
  video: VideoStream,
  size: Size,
  fps: number | null = null,
): string[] {
  return [
    ...deinterlacing(source, video),
    ...(fps === null ? [] : [`fps=${fps}`]),
    ...sizing(video, size),
    'setsar=1',
    ...toneMapping(source, video),
    'format=yuv420p',
  ];
}

/** Each rung of a ladder after the first. */
export function toSmaller(size: Size): string[] {
  return [`scale=${size.width}:${size.height}`, 'setsar=1'];
}

/** After the picture was scaled to fit a box: cuts or pads it to the box. */
export function boxing(scaled: Size, final: Size): string[] {
  if (final.width > scaled.width || final.height > scaled.height) {
    return [`pad=${final.width}:${final.height}:-1:-1:black`];
  }
  if (final.width < scaled.width || final.height < scaled.height) {
    return [`crop=${final.width}:${final.height}`];
  }
  return [];
}

function sizing(video: VideoStream, size: Size): string[] {
  const shown = shownSize(video);
  const across = shown.width - size.width;
  const down = shown.height - size.height;
  const crops = across >= 0 && across <= 1 && down >= 0 && down <= 1;
  if (!hasSquarePixels(video) || !crops) return [`scale=${size.width}:${size.height}`];
  // An odd side loses one line of pixels; scaling all of the picture for that would blur it.
  return across + down > 0 ? [`crop=${size.width}:${size.height}:0:0`] : [];
}

function deinterlacing({ filters }: Source, { interlaced }: VideoStream): string[] {
  return interlaced && filters.has('bwdif') ? ['bwdif=mode=send_frame'] : [];
}

function toneMapping(source: Source, { transfer, matrix, primaries }: VideoStream): string[] {
  const hdr = HDR[transfer ?? ''];
  if (hdr === undefined || !canToneMap(source)) return [];
  // Told where it comes from: frames often lack a part of that, and zscale finds no way then.
  const from = `tin=${hdr.zscale}:min=${MATRICES[matrix ?? ''] ?? '2020_ncl'}:pin=${PRIMARIES[primaries ?? ''] ?? '2020'}:rin=tv`;
  return [
    `zscale=${from}:t=linear:npl=100`,
    'format=gbrpf32le',
    'zscale=p=bt709',
    'tonemap=hable:desat=0',
    'zscale=t=bt709:m=bt709:r=tv',
  ];
}

/** What was done to the frames, in sentences. */
export function frameDecisions(source: Source, video: VideoStream): string[] {
  const hdr = hdrKind(video);
  return [
    ...(video.interlaced
      ? [
          source.filters.has('bwdif')
            ? 'deinterlaced: the source is interlaced'
            : 'left interlaced: this FFmpeg has no bwdif filter',
        ]
      : []),
    ...(hdr === null
      ? []
      : [
          canToneMap(source)
            ? `${hdr} mapped to SDR, which every screen shows`
            : `${hdr} colours left as they are, they may look pale: this FFmpeg lacks zscale or tonemap`,
        ]),
    ...(hasSquarePixels(video) ? [] : ['pixels made square: the source is anamorphic']),
  ];
}
