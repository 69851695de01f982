// What codecs and channels are called when people read of them.

const NAMES: Readonly<Record<string, string>> = {
  h264: 'H.264',
  hevc: 'HEVC',
  vp8: 'VP8',
  vp9: 'VP9',
  av1: 'AV1',
  aac: 'AAC',
  opus: 'Opus',
  vorbis: 'Vorbis',
  mp3: 'MP3',
  mp2: 'MP2',
  ac3: 'AC-3',
  eac3: 'E-AC-3',
  dts: 'DTS',
  truehd: 'TrueHD',
  flac: 'FLAC',
  alac: 'ALAC',
  wmav1: 'WMA',
  wmav2: 'WMA',
  wmapro: 'WMA Pro',
  amr_nb: 'AMR',
  amr_wb: 'AMR-WB',
  gif: 'GIF',
  prores: 'ProRes',
  dnxhd: 'DNxHD',
  mjpeg: 'Motion JPEG',
  mpeg1video: 'MPEG-1',
  mpeg2video: 'MPEG-2',
  mpeg4: 'MPEG-4 part 2',
  msmpeg4v1: 'Microsoft MPEG-4 version 1',
  msmpeg4v2: 'Microsoft MPEG-4 version 2',
  msmpeg4v3: 'Microsoft MPEG-4 version 3',
  h263: 'H.263',
  flv1: 'Sorenson Spark',
  theora: 'Theora',
  vc1: 'VC-1',
  wmv1: 'WMV 7',
  wmv2: 'WMV 8',
  wmv3: 'WMV 9',
  ffv1: 'FFV1',
  rawvideo: 'raw video',
};

/** Of FFmpeg's name. What is not known keeps that. */
export function codecName(codec: string): string {
  return NAMES[codec] ?? (codec.startsWith('pcm_') ? 'PCM' : codec);
}

export function channelName(channels: number): string {
  return channels === 1 ? 'mono' : channels === 2 ? 'stereo' : `${channels} channels`;
}
