// An output that is watched while it is encoded: the same streams, but written from front to back into a pipe.

import { Problem } from '../../problems.ts';
import type { OutputPart, Piece, StreamPart } from '../video-operation.ts';

/**
 * Muxers that never go back. A fragment lasts a second, so that the answer does not wait for a keyframe.
 * Without `delay_moov` the index is written before the first packet, has no edit list then, and the picture came
 * two frames late (80 ms at 25 frames per second); with it the first bytes come with the first fragment.
 */
const MUXERS: Readonly<Record<string, readonly string[]>> = {
  'video/mp4': [
    ...['-movflags', '+frag_keyframe+delay_moov+default_base_moof', '-frag_duration', '1000000'],
    ...['-flush_packets', '1', '-f', 'mp4'],
  ],
  // Into a pipe it writes clusters of a second, and a segment of unknown size.
  'video/webm': ['-flush_packets', '1', '-f', 'webm'],
};

/** What fits no stream, for people. */
const ONE_FILE =
  'delivery=stream gives one MP4 or WebM while it is encoded, and this output is more than that: subtitles, several files or something made afterwards. Leave that out, or ask for delivery=job.';

/** The output's one piece as FFmpeg writes it into a pipe. Throws `invalid_request` for an output that is more than a piece. */
export function streamed(part: OutputPart): Piece {
  const [piece, ...others] = part.pieces;
  const muxer = MUXERS[piece?.mediaType ?? ''];
  const isMore = others.length > 0 || part.finish !== undefined || part.chunks !== undefined;
  if (piece === undefined || muxer === undefined || isMore) throw new Problem('invalid_request', ONE_FILE);
  return { ...piece, muxer, streams: piece.streams.map((stream) => framed(stream, piece)) };
}

/** AAC out of MPEG-TS has its own headers, which MP4 lacks; files get this filter from FFmpeg itself, fragments do not. */
function framed(stream: StreamPart, { mediaType, expects }: Piece): StreamPart {
  const isCopiedAac =
    stream.kind === 'audio' && stream.options['c'] === 'copy' && expects.audio?.codec === 'aac';
  if (!isCopiedAac || mediaType !== 'video/mp4') return stream;
  const { bsf } = stream.options;
  const filters = [...(bsf === undefined ? [] : [bsf]), 'aac_adtstoasc'];
  return { ...stream, options: { ...stream.options, bsf: filters.join(',') } };
}

/**
 * Whether it would copy some of its streams only. Where the picture is encoded anyway, its decoder would tell of damage
 * only after the sound was sent: a job begins anew then, a stream cannot. Sound costs next to nothing to encode.
 */
export function copiesHalf({ streams }: Piece): boolean {
  const copied = streams.filter(({ options }) => options['c'] === 'copy').length;
  return copied > 0 && copied < streams.length;
}

/** Decisions of an output that was planned without copies for the sake of `copiesHalf`. */
export function withoutHalf(decisions: readonly string[]): string[] {
  return decisions.map((line) =>
    line.replace(/: a copy of it did not pass its check$/, ': a stream copies all of its source or nothing'),
  );
}

/**
 * What is copied of a piece, written nowhere: takes as long as reading the source. A copy that is broken must be
 * known before the first byte goes out, since nothing can be tried anew after it. Null if nothing is copied.
 */
export function rehearsal(piece: Piece): Piece | null {
  const streams = piece.streams.filter(({ options }) => options['c'] === 'copy');
  return streams.length === 0 ? null : { ...piece, streams, muxer: ['-f', 'null'] };
}
