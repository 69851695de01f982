// From the source's frames to frames that can be shown anywhere: progressive, square pixels, 8-bit 4:2:0, SDR.

import type { VideoStream } from '../media-probe.ts';
import type { Size, Source, StreamOptions } from '../video-operation.ts';
import type { Analysis } from './analysis.ts';
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
 * comes after scaling: it is the dearest part, and works on fewer pixels there. `fps` forces a rate (more options of
 * the filter may follow it); `sampled`: frame k is what is shown at second k ÷ fps, where FFmpeg would take one from
 * half a step later.
 */
export function toFrames(
  source: Source,
  video: VideoStream,
  size: Size,
  fps: number | string | null = null,
  sampled = false,
): string[] {
  return [
    ...deinterlacing(source, video),
    ...(fps === null ? [] : [sampled ? `fps=fps=${fps}:start_time=0:round=up` : `fps=${fps}`]),
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

/** Codecs of television and camcorders. Others are never interlaced in practice. */
const MAYBE_INTERLACED = new Set([
  'mpeg2video',
  'h264',
  'dvvideo',
  'mpeg4',
  'vc1',
  'prores',
  'dnxhd',
  'ffv1',
  'rawvideo',
  'v210',
]);
/** Lines of the smallest interlaced picture: of 525-line television. A smaller one is of the web. */
const MIN_INTERLACED_LINES = 480;

/** What must be found out where the file does not say whether its frames are interlaced. */
function interlacingQuestion({
  fieldOrderKnown,
  codec,
  height,
  index,
}: VideoStream): (Analysis & { kind: 'interlacing' }) | null {
  const open = !fieldOrderKnown && MAYBE_INTERLACED.has(codec) && height >= MIN_INTERLACED_LINES;
  return open ? { kind: 'interlacing', video: index } : null;
}

/** That question, for `analyses` of an operation that uses the frames. */
export function frameQuestions({ video }: Pick<Source, 'video'>): readonly Analysis[] {
  const question = video === null ? null : interlacingQuestion(video);
  return question === null ? [] : [question];
}

/** By what the file says, or else by what was found out. */
export function isInterlaced({ findings }: Pick<Source, 'findings'>, video: VideoStream): boolean {
  const question = interlacingQuestion(video);
  return video.interlaced || (question !== null && findings.get(question)?.interlaced === true);
}

function deinterlacing(source: Source, video: VideoStream): string[] {
  return isInterlaced(source, video) && source.filters.has('bwdif') ? ['bwdif=mode=send_frame'] : [];
}

/** Frames per second that differ by less are an average's rounding. */
const STEADY = 0.001;

/**
 * Each frame keeps its time: FFmpeg 5 would double and drop frames in MP4 to get a steady rate, and lay them on the
 * beat of the mean rate where it varies. `fps`: the rate that is forced, if any.
 */
export function timingOptions({ fps: mean, baseFps }: VideoStream, fps: number | null): StreamOptions {
  if (fps !== null) return {};
  const varies = mean === null || baseFps === null || Math.abs(baseFps - mean) > STEADY * mean;
  return { fps_mode: 'vfr', ...(varies && { enc_time_base: '1:90000' }) };
}

/** Tags for an encoded picture: FFmpeg 5 would leave those of the HDR source, or none. */
export function colourOptions(source: Pick<Source, 'filters'>, video: VideoStream): StreamOptions {
  if (hdrKind(video) === null || !canToneMap(source)) return {};
  return { colorspace: 'bt709', color_primaries: 'bt709', color_trc: 'bt709', color_range: 'tv' };
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
    ...(isInterlaced(source, video)
      ? [
          source.filters.has('bwdif')
            ? `deinterlaced: the source is interlaced${video.interlaced ? '' : ', as its frames show'}`
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
