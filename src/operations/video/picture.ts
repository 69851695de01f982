// The picture of a transcode: copied, or scaled, turned, drawn on and encoded.

import type { VideoStream } from '../media-probe.ts';
import type {
  OutputPart,
  Piece,
  Size,
  Source,
  StreamOptions,
  StreamPart,
  Take,
  Window,
} from '../video-operation.ts';
import type { Analysis } from './analysis.ts';
import { copyOptions, videoVerdict } from './copy-rules.ts';
import { windowOf, wholeOf } from './cut.ts';
import type { Whole } from './cut.ts';
import type { CopyWish } from './copy-rules.ts';
import { pictureOptions } from './encoders.ts';
import type { PictureEncoding } from './encoders.ts';
import { maxBytes } from './expectations.ts';
import { boxing, colourOptions, frameDecisions, isInterlaced, timingOptions } from './frames.ts';
import { shownSize, swapped } from './geometry.ts';
import type { Fitted } from './geometry.ts';
import { chooseHardware } from './hardware.ts';
import { firstCrf, foundCrf, hardwareQuality, isQualityWord, qualityQuestion } from './quality-words.ts';
import { burnedSubtitles } from './subtitles.ts';
import type { Burned } from './subtitles.ts';
import { soundTracks } from './tracks.ts';
import { codecOf } from './transcode-fields.ts';
import type { TranscodeParams } from './transcode-fields.ts';
import { fitTurned, turning } from './turning.ts';
import { watermarkOverlay } from './watermark.ts';

export interface Picture {
  readonly part: StreamPart;
  readonly size: Size;
  readonly preparation: readonly Piece[];
  readonly global: readonly string[];
  readonly encoders: readonly string[];
  readonly decisions: readonly string[];
}

/** All that is known of the wish before anything is decided. */
export interface PictureTask {
  readonly asked: TranscodeParams;
  readonly source: Source;
  readonly video: VideoStream;
  readonly window: Window;
  /** What it is cut from. */
  readonly whole: Whole;
  /** Of the upright picture, before it is turned once more. */
  readonly scaled: Size;
  /** After the turn. */
  readonly fitted: Fitted;
  readonly wish: CopyWish;
}

export function pictureTask(asked: TranscodeParams, source: Source, video: VideoStream): PictureTask {
  const { fitted, scaled } = fitTurned(video, asked);
  const whole = wholeOf(source.probe, video, asked.mute === true ? [] : soundTracks(source.probe));
  const window = windowOf(asked, whole);
  return {
    asked,
    source,
    video,
    window,
    whole,
    scaled,
    fitted,
    wish: {
      format: asked.format,
      codec: codecOf(asked),
      encode: asked.encode,
      final: fitted.final,
      quality: asked.quality !== undefined || asked.crf !== undefined,
      maxBitrate: asked.maxBitrate ?? null,
      fps: frameRate(asked, source, video),
      trimmed: window.start > 0 || window.end !== null,
      turned: asked.rotate !== undefined || asked.flip !== undefined,
      drawn:
        asked.watermark === undefined ? (asked.subtitles === 'burn' ? 'subtitles' : null) : 'a watermark',
      interlaced: isInterlaced(source, video),
    },
  };
}

export function picturePart(task: PictureTask): Picture {
  const { asked, source, video, fitted, wish } = task;
  const verdict = videoVerdict(source.probe, wish);
  const shown = shownSize(video);
  if (verdict.copy && source.mayCopy) {
    return {
      part: { kind: 'video', source: video.index, options: copyOptions(wish.codec), filters: [] },
      size: shown,
      preparation: [],
      global: [],
      encoders: [],
      decisions: [`picture copied: ${verdict.why}`],
    };
  }
  const why = verdict.copy ? 'a copy of it did not pass its check' : verdict.why;
  const burned =
    asked.subtitles === 'burn' ? burnedSubtitles(source, asked.subtitleTrack, task.window, fitted) : null;
  const { encoding, encoders, decisions } = chooseEncoding(task);
  return {
    part: {
      kind: 'frames',
      take: takeOf(task, burned, encoding),
      options: optionsOf(task, encoding),
    },
    size: fitted.final,
    preparation: burned?.preparation ?? [],
    global: encoding.global,
    encoders: [...encoders, ...(burned?.encoders ?? [])],
    decisions: [
      `picture encoded: ${why}`,
      ...decisions,
      ...enlarging(task),
      ...frameDecisions(source, video),
      ...(burned === null ? [] : [burned.decision]),
      ...(asked.watermark === undefined ? [] : [`a watermark laid over, ${asked.watermark.gravity}`]),
    ],
  };
}

/** What has to be searched for, or null: a CRF or a number needs no search, hardware and copies have none. */
export function qualityAnalysis(task: PictureTask): (Analysis & { kind: 'quality' }) | null {
  const { asked, source, video, window, fitted, wish } = task;
  if (!isQualityWord(asked.quality)) return null;
  if (chooseHardware(asked.hardware, wish.codec, source).hardware !== null) return null;
  const { codec } = wish;
  const encoding = pictureOptions({
    ...asked,
    codec,
    quality: undefined,
    hardware: null,
    crf: firstCrf(asked.quality, codec),
  });
  const picture: Piece = {
    file: 'sample.mkv',
    mediaType: 'video/x-matroska',
    // Without what is drawn on it: that is the same in whatever it is held against.
    streams: [
      {
        kind: 'frames',
        take: takeOf({ ...task, asked: { ...asked, watermark: undefined } }, null, encoding),
        options: optionsOf(task, encoding),
      },
    ],
    muxer: ['-f', 'matroska'],
    expects: {
      kind: 'clip',
      video: { codec, size: fitted.final },
      audio: null,
      durationSeconds: null,
      durationIsExact: false,
    },
    maxBytes: maxBytes(source.probe, null, fitted.final, wish.fps ?? video.fps),
  };
  return qualityQuestion(asked.quality, codec, picture, window);
}

interface Chosen extends Pick<OutputPart, 'encoders' | 'decisions'> {
  readonly encoding: PictureEncoding;
}

function chooseEncoding(task: PictureTask): Chosen {
  const { asked, source, wish } = task;
  const { codec } = wish;
  const { quality, ...rest } = asked;
  const { hardware, decisions } = chooseHardware(asked.hardware, codec, source);
  if (hardware !== null) {
    const scale = isQualityWord(quality) ? hardwareQuality(quality) : quality;
    // Whether it works was tried, so it need not be listed.
    return {
      encoding: pictureOptions({ ...rest, quality: scale, codec, hardware }),
      encoders: [],
      decisions,
    };
  }
  const question = qualityAnalysis(task);
  const found =
    question === null || !isQualityWord(quality) ? null : foundCrf(quality, question, source.findings);
  const encoding = pictureOptions({
    ...rest,
    ...(found === null ? { quality: isQualityWord(quality) ? undefined : quality } : { crf: found.crf }),
    codec,
    hardware,
  });
  return {
    encoding,
    encoders: [encoding.encoder],
    decisions: [...decisions, ...(found === null ? [] : [found.decision])],
  };
}

function optionsOf({ source, video, wish }: PictureTask, { options }: PictureEncoding): StreamOptions {
  return { ...options, ...timingOptions(video, wish.fps), ...colourOptions(source, video) };
}

function takeOf(
  { asked, source, video, fitted, scaled, wish }: PictureTask,
  burned: Burned | null,
  { filters }: PictureEncoding,
): Take {
  const overlays = [
    ...(burned?.overlays ?? []),
    ...(asked.watermark === undefined
      ? []
      : [watermarkOverlay(asked.watermark, fitted.final, source, video)]),
  ];
  return {
    from: 'picture',
    size: scaled,
    fps: wish.fps,
    filters: [...turning(asked), ...boxing(fitted.scaled, fitted.final), ...(burned?.filters ?? [])],
    ...(overlays.length > 0 && { overlays }),
    ...(filters.length > 0 && { last: filters }),
  };
}

function enlarging({ asked, video, scaled, fitted }: PictureTask): string[] {
  const shown = shownSize(video);
  const turned = scaled === fitted.scaled ? shown : swapped(shown);
  const wider = asked.width !== undefined && asked.width > turned.width;
  const higher = asked.height !== undefined && asked.height > turned.height;
  return wider || higher ? [`not enlarged: the source is ${turned.width}×${turned.height}`] : [];
}

/** The rate to force, or null for the source's own. */
function frameRate(asked: TranscodeParams, { probe }: Source, video: VideoStream): number | null {
  const cap = asked.fps ?? Infinity;
  // A GIF shows each frame for as long as it likes; players of video expect a beat. At most ten frames are made of one:
  // two that stay for ten minutes each must not become a hundred thousand.
  if (probe.container === 'gif') {
    const mean = video.fps ?? 10;
    return Math.min(cap, 50, video.baseFps ?? mean, 10 * mean);
  }
  return (video.fps ?? 0) > cap * 1.001 ? cap : null;
}
