import { expect, it } from 'vitest';
import type { OutputPart, Piece, StreamPart } from '../../../src/operations/video-operation.ts';
import { copiesHalf, rehearsal, streamed } from '../../../src/operations/video/streaming.ts';
import type { Problem } from '../../../src/problems.ts';

const encoded: StreamPart = {
  kind: 'frames',
  take: { from: 'picture', size: { width: 64, height: 36 }, fps: null, filters: [] },
  options: { c: 'libx264' },
};
const copiedSound: StreamPart = { kind: 'audio', source: 1, options: { c: 'copy' }, filters: [] };
const copiedPicture: StreamPart = {
  kind: 'video',
  source: 0,
  options: { c: 'copy', bsf: 'filter_units=remove_types=6' },
  filters: [],
};

const pieceOf = (streams: readonly StreamPart[], rest: Partial<Piece> = {}): Piece => ({
  file: 'video.mp4',
  mediaType: 'video/mp4',
  streams,
  muxer: ['-movflags', '+faststart', '-f', 'mp4'],
  expects: {
    kind: 'clip',
    video: { codec: 'h264', size: { width: 64, height: 36 } },
    audio: { codec: 'aac' },
    durationSeconds: 2,
    durationIsExact: true,
  },
  maxBytes: 1000,
  ...rest,
});
const partOf = (pieces: readonly Piece[], rest: Partial<OutputPart> = {}): OutputPart => ({
  pieces,
  window: { start: 0, end: null },
  encoders: [],
  decisions: [],
  ...rest,
});

it('writes MP4 in fragments that a pipe can take, with its index in the first of them', () => {
  const { muxer } = streamed(partOf([pieceOf([encoded])]));
  expect(muxer.join(' ')).toContain('+frag_keyframe+delay_moov+default_base_moof');
  expect(muxer.join(' ')).not.toContain('faststart');
  expect(muxer.slice(-2)).toEqual(['-f', 'mp4']);
});

it('writes WebM as it is', () => {
  const { muxer } = streamed(
    partOf([pieceOf([encoded], { mediaType: 'video/webm', muxer: ['-f', 'webm'] })]),
  );
  expect(muxer.slice(-2)).toEqual(['-f', 'webm']);
});

it('takes AAC out of its own headers where it is copied into MP4, and leaves everything else', () => {
  const { streams } = streamed(partOf([pieceOf([copiedPicture, copiedSound])]));
  expect(streams.map(({ options }) => options['bsf'])).toEqual([
    'filter_units=remove_types=6',
    'aac_adtstoasc',
  ]);
  const opus = pieceOf([copiedSound], { mediaType: 'video/webm' });
  expect(streamed(partOf([opus])).streams).toEqual([copiedSound]);
});

it('rehearses what is copied, and only that', () => {
  expect(rehearsal(pieceOf([encoded]))).toBeNull();
  expect(rehearsal(pieceOf([encoded, copiedSound]))).toMatchObject({
    streams: [copiedSound],
    muxer: ['-f', 'null'],
  });
});

it('knows a copy of a half from one of the whole, and from none', () => {
  expect(
    [[copiedPicture, copiedSound], [encoded, copiedSound], [encoded]].map((each) =>
      copiesHalf(pieceOf(each)),
    ),
  ).toEqual([false, true, false]);
});

it.each<[string, OutputPart]>([
  ['a second piece', partOf([pieceOf([encoded]), pieceOf([encoded])])],
  ['chunks', partOf([pieceOf([encoded])], { chunks: { count: 2, framesEach: 60, parallel: 2 } })],
  ['a still', partOf([pieceOf([encoded], { mediaType: 'image/jpeg' })])],
  ['no file at all', partOf([])],
])('refuses %s', (_what, part) => {
  let thrown: unknown;
  try {
    streamed(part);
  } catch (error) {
    thrown = error;
  }
  expect((thrown as Problem).code).toBe('invalid_request');
});
