// Tracks of sound that a file names and that hold nothing. Looked for only when a result came out without its sound.

import { z } from 'zod';
import { mainAudio } from '../operations/media-probe.ts';
import type { Source } from '../operations/video-operation.ts';
import { soundTracks } from '../operations/video/tracks.ts';
import type { RunPlace } from './ffmpeg-command.ts';
import { wholeInput } from './ffmpeg-input.ts';
import { FfmpegLog } from './ffmpeg-log.ts';
import type { FfmpegTools } from './ffmpeg-tools.ts';

/** Encoders give nothing for so few: they are lead-in. */
const FEW_PACKETS = 2;

const counted = z.object({
  streams: z.array(z.object({ index: z.int(), nb_read_packets: z.coerce.number().catch(0).default(0) })),
});

/** The source without them, and their numbers as `probe` counts tracks. Rejects when stopped. */
export async function withoutEmptyTracks(
  source: Source,
  place: RunPlace,
  tools: FfmpegTools,
  signal: AbortSignal,
): Promise<{ readonly source: Source; readonly empty: readonly number[] }> {
  const end = await tools.ffprobe(
    [
      ...'-hide_banner -loglevel level+error -of json -count_packets -select_streams a'.split(' '),
      ...['-show_entries', 'stream=index,nb_read_packets'],
      ...wholeInput(place.source, place.maxPixels),
    ],
    new FfmpegLog(),
    signal,
  );
  const streams = end.code === 0 ? read(end.stdout) : [];
  const few = new Set(
    streams.filter((each) => each.nb_read_packets <= FEW_PACKETS).map(({ index }) => index),
  );
  const empty = soundTracks(source.probe).flatMap(({ index }, track) => (few.has(index) ? [track + 1] : []));
  const probe = { ...source.probe, audio: source.probe.audio.filter(({ index }) => !few.has(index)) };
  return { source: { ...source, probe, audio: mainAudio(probe) }, empty };
}

function read(text: string): z.output<typeof counted>['streams'] {
  try {
    return counted.parse(JSON.parse(text)).streams;
  } catch {
    return [];
  }
}
