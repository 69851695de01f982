// How an untrusted file is opened: only as what its bytes say, only with decoders that are named here, nothing beside it.

import type { MediaFile } from '../engine-contracts.ts';
import { Problem } from '../problems.ts';

/** FFmpeg's demuxer for each media type that the server recognises. Playlists of any kind are not among them. */
const DEMUXERS: Readonly<Record<string, string>> = {
  'video/mp4': 'mov',
  'video/quicktime': 'mov',
  'audio/mp4': 'mov',
  'video/webm': 'matroska',
  'video/x-matroska': 'matroska',
  'video/x-msvideo': 'avi',
  'video/mp2t': 'mpegts',
  'video/mpeg': 'mpeg',
  'video/x-flv': 'flv',
  'video/ogg': 'ogg',
  'audio/ogg': 'ogg',
  'video/x-ms-asf': 'asf',
  'audio/mpeg': 'mp3',
  'audio/aac': 'aac',
  'audio/flac': 'flac',
  'audio/wav': 'wav',
  'image/gif': 'gif',
  // Our own stills, when they are checked.
  'image/jpeg': 'jpeg_pipe',
  'image/png': 'png_pipe',
  'image/webp': 'webp_pipe',
};

/** What cameras, phones, editors, screens and the web write. FFmpeg has 500 more, most of them for games of the nineties. */
const PICTURE = `h264 hevc vvc vp8 libvpx vp9 libvpx-vp9 av1 libdav1d libaom-av1 mpeg4 msmpeg4v1 msmpeg4v2 msmpeg4
  mpeg1video mpeg2video mpegvideo h263 flv mjpeg png webp bmp gif prores dnxhd cfhd dvvideo ffv1 rawvideo v210 theora
  vp6 vp6f vc1 wmv1 wmv2 wmv3`;
const SOUND = `aac aac_latm mp3 mp3float mp2 mp2float mp1 mp1float opus libopus vorbis libvorbis flac alac ac3 eac3 dca
  truehd mlp amrnb amrwb wmav1 wmav2 wmapro wmalossless adpcm_ms adpcm_ima_wav adpcm_ima_qt adpcm_swf nellymoser speex
  libspeex gsm gsm_ms s302m dvaudio pcm_alaw pcm_mulaw pcm_u8 pcm_s8 pcm_s16le pcm_s16be pcm_s24le pcm_s24be pcm_s32le
  pcm_s32be pcm_f32le pcm_f32be pcm_f64le pcm_f64be pcm_bluray pcm_dvd`;
/** Never shown, but ffprobe ends with an error if it may not open one. */
const SUBTITLES = `mov_text subrip srt ass ssa webvtt text dvbsub dvdsub pgssub xsub cc_dec libzvbi_teletextdec`;
const DECODERS = `${PICTURE} ${SOUND} ${SUBTITLES}`.split(/\s+/).join(',');

export const MAX_STREAMS = 16;
export const MAX_CHANNELS = 8;
export const MAX_FPS = 120;

/** Options that stand before `-i`, for FFmpeg and ffprobe alike. Rejects `media_type_unsupported`. */
export function inputOptions(mediaType: string, maxPixels: number): string[] {
  const demuxer = Object.hasOwn(DEMUXERS, mediaType) ? DEMUXERS[mediaType] : undefined;
  if (demuxer === undefined) {
    throw new Problem(
      'media_type_unsupported',
      'This kind of file cannot be opened as a video. Send MP4, MOV, WebM, Matroska, AVI, MPEG-TS, MPEG-PS, FLV, Ogg, WMV or an animated GIF.',
    );
  }
  return [
    '-protocol_whitelist',
    'file',
    // The protocol list alone let a playlist read other local files.
    '-format_whitelist',
    demuxer,
    '-codec_whitelist',
    DECODERS,
    '-max_streams',
    `${MAX_STREAMS}`,
    '-max_pixels',
    `${maxPixels}`,
    '-f',
    demuxer,
  ];
}

/** The whole input, `-i` included, of a command that reads nothing else. Rejects as `inputOptions`. */
export function wholeInput({ path, mediaType }: MediaFile, maxPixels: number): string[] {
  return [...inputOptions(mediaType, maxPixels), '-i', fileUrl(path)];
}

/** A path that cannot be taken for an option, a protocol or a pattern. It must be absolute. */
export function fileUrl(path: string): string {
  if (!path.startsWith('/')) throw new Error('FFmpeg is only given absolute paths');
  return `file:${path}`;
}
