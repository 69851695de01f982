// What is known of a source before any work is done on it: the probe's data, numbers checked, `N/A` become null.

/** Degrees by which the picture is turned for showing, 0–359. Which way does not matter to sizes. */
export type Rotation = number;

export interface VideoStream {
  /** Its number in the file, as FFmpeg counts. */
  readonly index: number;
  /** FFmpeg's name of the codec, e.g. `h264`. */
  readonly codec: string;
  /** E.g. `High`. */
  readonly profile: string | null;
  /** As the codec writes it: H.264 level 4.1 is 41. */
  readonly level: number | null;
  /** E.g. `yuv420p`. */
  readonly pixelFormat: string | null;
  /** Stored pixels, before rotation and pixel aspect. */
  readonly width: number;
  readonly height: number;
  /** Width of one pixel ÷ its height: 1 for square ones. */
  readonly pixelAspect: number;
  readonly rotation: Rotation;
  /** Mean frames per second. */
  readonly fps: number | null;
  /** The lowest rate that all timestamps fit on: above `fps` where the rate varies. */
  readonly baseFps: number | null;
  /** Frames in the file, also those that an edit list hides. */
  readonly frames: number | null;
  readonly durationSeconds: number | null;
  /** Bits per second. */
  readonly bitRate: number | null;
  readonly interlaced: boolean;
  /** False where the file does not say whether its frames are interlaced. */
  readonly fieldOrderKnown: boolean;
  /** Of its first frame, on the clock of the file. */
  readonly startSeconds: number | null;
  /** Transfer characteristics, e.g. `bt709`, `smpte2084`. */
  readonly transfer: string | null;
  readonly primaries: string | null;
  readonly matrix: string | null;
  /** A cover or thumbnail that lies in the file as a stream: no video. */
  readonly attachedPicture: boolean;
  /** Marked as the one to be shown. */
  readonly isDefault: boolean;
}

export interface AudioStream {
  readonly index: number;
  readonly codec: string;
  readonly profile: string | null;
  readonly channels: number;
  /** E.g. `5.1(side)`. */
  readonly layout: string | null;
  /** ISO 639, two or three lower-case letters. */
  readonly language: string | null;
  readonly startSeconds: number | null;
  /** Hertz. */
  readonly sampleRate: number | null;
  readonly frames: number | null;
  readonly durationSeconds: number | null;
  /** Bits per second. */
  readonly bitRate: number | null;
}

export interface SubtitleStream {
  readonly index: number;
  /** E.g. `subrip`, `hdmv_pgs_subtitle`. */
  readonly codec: string;
  /** ISO 639, two or three lower-case letters. */
  readonly language: string | null;
}

export interface MediaProbe {
  /** FFmpeg's name of the demuxer, e.g. `mov,mp4,m4a,3gp,3g2,mj2`. */
  readonly container: string;
  /** Of the longest stream, subtitles included. */
  readonly durationSeconds: number | null;
  /** Bits per second of everything together. */
  readonly bitRate: number | null;
  /** Streams of every kind. */
  readonly streams: number;
  /** Where the clock of the file begins. */
  readonly startSeconds: number | null;
  readonly video: readonly VideoStream[];
  readonly audio: readonly AudioStream[];
  readonly subtitles: readonly SubtitleStream[];
}

/** A stream with less than a sixteenth of another's pixels is a thumbnail of it. */
const THUMBNAIL_SHARE = 1 / 16;

/**
 * The stream that is meant when one says "the video": no cover, no thumbnail of another one; of those the first that
 * the file marks as its default, or simply the first.
 */
export function mainVideo(probe: MediaProbe): VideoStream | null {
  const shown = probe.video.filter(({ attachedPicture, width }) => !attachedPicture && width > 0);
  const largest = Math.max(0, ...shown.map(({ width, height }) => width * height));
  const full = shown.filter(({ width, height }) => width * height >= largest * THUMBNAIL_SHARE);
  return full.find(({ isDefault }) => isDefault) ?? full[0] ?? null;
}

export function mainAudio(probe: MediaProbe): AudioStream | null {
  return probe.audio.find(({ channels }) => channels > 0) ?? null;
}
