// Publishes an HLS output while FFmpeg writes it: segments as they are complete, playlists that grow, at the end all that is known.

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { MadeFile } from '../../engine-contracts.ts';
import { BrokenBoxes, readInit, readSegment } from '../../lib/mp4-boxes.ts';
import type { Segment } from '../../lib/mp4/fragments.ts';
import type { Track } from '../../lib/mp4/init.ts';
import type { Finish } from '../../operations/video/finish.ts';
import { parsePlaylist } from '../../operations/video/hls/parse-playlist.ts';
import { MASTER_FILE, mediaPlaylist, PLAYLIST_TYPE } from '../../operations/video/hls/playlists.ts';
import type { PlaylistKind } from '../../operations/video/hls/playlists.ts';
import { hlsDocuments } from '../../operations/video/hls/documents.ts';
import type { HlsFinish, Rendition } from '../../operations/video/hls/documents.ts';
import type { Piece } from '../../operations/video-operation.ts';
import { textFile } from './follower.ts';
import type { FinishContext, Finished, Follower } from './follower.ts';
import { broken, lengthVerdict } from '../verify.ts';

/** Seconds. */
const MOST_LATE = 0.04;
const SAME_SECONDS = 0.002;

interface Following {
  readonly name: string;
  readonly piece: Piece;
  track: Track | null;
  readonly segments: { uri: string; seconds: number; bytes: number; found: Segment }[];
  ended: boolean;
  /** Time of change of FFmpeg's playlist when it was read last. */
  seenAt: number;
  /** Segments that our playlist names. */
  told: number;
}

export function followHls(finish: Finish & { readonly type: 'hls' }, context: FinishContext): Follower {
  const { folder, part, publish } = context;
  const names = [...finish.rungs, ...finish.sounds].map(({ name }) => name);
  const all: Following[] = names.map((name) => {
    const piece = part.pieces.find(({ file }) => file === indexOf(name));
    if (piece === undefined) throw new Error(`no piece makes the rendition ${name}`);
    return { name, piece, track: null, segments: [], ended: false, seenAt: 0, told: 0 };
  });
  let live = false;
  let bytes = 0;

  const hand = async (file: MadeFile & { readonly path: string }): Promise<MadeFile> => {
    await publish(file);
    return { ...file, path: null };
  };

  const look = async (one: Following): Promise<void> => {
    const index = await changed(join(folder, indexOf(one.name)), one.seenAt);
    if (index === null) return;
    one.seenAt = index.at;
    const { init, segments, ended } = parsePlaylist(index.text, one.name);
    one.ended = ended;
    if (init === null) return;
    if (one.track === null) {
      const header = await readFile(join(folder, init));
      one.track = trackOf(header, one);
      bytes += header.length;
      await hand({ ...plain(init, header.length), path: join(folder, init) });
    }
    const fresh = segments.slice(one.segments.length);
    for (const { uri } of fresh) {
      const data = await readFile(join(folder, uri));
      const found = segmentOf(data, one);
      // Of a copy, keyframes may lie further apart later on than was seen; a playlist's target must not change.
      if (copied(one) && found.seconds > finish.targetSeconds + 0.5) {
        throw broken(one.name, `segment ${uri} lasts ${found.seconds.toFixed(1)} s`, null);
      }
      // A player that changes renditions, or seeks, begins in any segment.
      if (!found.startsWithSync)
        throw broken(one.name, `segment ${uri} does not begin with a keyframe`, null);
      bytes += data.length;
      await hand({ ...plain(uri, data.length), path: join(folder, uri) });
      // FFmpeg's own figure for the last piece of sound is a frame too long.
      one.segments.push({ uri, seconds: found.seconds, bytes: data.length, found });
    }
  };

  const tell = async (one: Following, kind: PlaylistKind): Promise<MadeFile> => {
    one.told = one.segments.length;
    const text = mediaPlaylist({
      kind,
      targetSeconds: finish.targetSeconds,
      init: `${one.name}.init.mp4`,
      segments: one.segments,
    });
    return hand(await textFile(context, `${one.name}.m3u8`, PLAYLIST_TYPE, text));
  };

  const poll = async (): Promise<void> => {
    for (const one of all) {
      await look(one);
      // Of a long playlist a fiftieth more is told at once: written anew for each segment, it would cost their square.
      const news = one.segments.length - one.told;
      if (news > 0 && news >= one.segments.length / 50) await tell(one, 'event');
    }
    if (live || all.some(({ segments }) => segments.length === 0)) return;
    live = true;
    // Its rates are those that were asked for; the final one has those that came.
    const { master } = hlsDocuments(finish, all.map(renditionOf), 'event');
    await hand(await textFile(context, MASTER_FILE, PLAYLIST_TYPE, master));
  };

  return {
    poll,
    async end(pieces): Promise<Finished> {
      for (const one of all) {
        // The last change may have come in the same instant as the one before.
        one.seenAt = 0;
        await look(one);
      }
      const damage = pieces.find((each) => each.damage !== null)?.damage ?? null;
      check(all, finish, damage);
      const subtitles = pieces.filter(({ piece }) => piece.expects.kind === 'text');
      const texts: MadeFile[] = [];
      for (const { files } of subtitles) {
        for (const { file, path, bytes: size } of files) {
          bytes += size;
          texts.push(
            await hand({
              file,
              path,
              bytes: size,
              mediaType: 'text/vtt; charset=utf-8',
              width: null,
              height: null,
            }),
          );
        }
      }
      const playlists: MadeFile[] = [];
      for (const one of all) {
        const file = await tell(one, 'vod');
        playlists.push({ ...file, ...sizeOf(one) });
      }
      const documents = hlsDocuments(finish, all.map(renditionOf), 'vod');
      for (const { file, mediaType, text } of documents.others) {
        playlists.push(await hand(await textFile(context, file, mediaType, text)));
      }
      const [best] = all;
      const size = best === undefined ? null : sizeOf(best);
      const master = await hand(await textFile(context, MASTER_FILE, PLAYLIST_TYPE, documents.master));
      return {
        files: [{ ...master, ...size }, ...playlists, ...texts],
        size:
          size === null || size.width === null || size.height === null
            ? null
            : { width: size.width, height: size.height },
        durationSeconds: Math.max(...all.map(lengthOf)),
        bytes,
        warnings: lengthsOf(all, damage),
      };
    },
  };
}

/** FFmpeg's own playlist of a rendition, which tells us what is complete. */
export const indexOf = (name: string): string => `${name}.index.m3u8`;

const copied = ({ piece }: Following): boolean => piece.streams.some(({ kind }) => kind === 'video');

function plain(file: string, bytes: number): Omit<MadeFile, 'path'> {
  return { file, bytes, mediaType: 'video/mp4', width: null, height: null };
}

function renditionOf({ name, track, segments }: Following): Rendition {
  if (track === null) throw new Error('a rendition was told of before it began');
  return { name, track, segments };
}

function sizeOf({ piece }: Following): { width: number | null; height: number | null } {
  const { video } = piece.expects;
  return { width: video?.size.width ?? null, height: video?.size.height ?? null };
}

function lengthOf({ segments }: Following): number {
  return segments.reduce((sum, { seconds }) => sum + seconds, 0);
}

/**
 * What a file holds if it has changed, or null. FFmpeg writes under another name and renames: what is there is whole. A
 * long playlist is not read twice a second for nothing.
 */
async function changed(path: string, seenAt: number): Promise<{ at: number; text: string } | null> {
  try {
    // Before it is read: a change in between is seen again the next time.
    const { mtimeMs } = await stat(path);
    return mtimeMs === seenAt ? null : { at: mtimeMs, text: await readFile(path, 'utf8') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function trackOf(header: Uint8Array, { name, piece: { expects } }: Following): Track {
  const [track] = readable(name, () => readInit(header));
  const wanted = expects.video;
  if (track === undefined || (track.kind === 'video') !== (wanted !== null))
    throw broken(name, 'it has no track', null);
  if (track.kind === 'video' && wanted !== null) {
    const { width, height } = wanted.size;
    if (track.width !== width || track.height !== height) {
      throw broken(name, `it is ${track.width}×${track.height}, not ${width}×${height}`, null);
    }
  }
  return track;
}

function segmentOf(data: Uint8Array, { name, track, segments }: Following): Segment {
  if (track === null) throw new Error('a segment before its header');
  const found = readable(name, () => readSegment(data, track));
  // Nothing but the segments says when a picture is shown: no edit list would take a delay back.
  if (segments.length === 0 && Math.abs(found.presentationTime) > MOST_LATE * track.timescale) {
    throw broken(name, 'it does not begin at the beginning', null);
  }
  return found;
}

function readable<T>(name: string, look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (error instanceof BrokenBoxes)
      throw broken(name, `its segments cannot be read: ${error.message}`, null);
    throw error;
  }
}

/** Segments of all rungs must begin at the same moments: a player changes between them there. */
function check(all: readonly Following[], { rungs }: HlsFinish, damage: string | null): void {
  const pictures = all.slice(0, rungs.length);
  const [first] = pictures;
  for (const { name, ended, segments } of all) {
    if (!ended || segments.length === 0) throw broken(name, 'it is not complete', damage);
  }
  for (const { name, segments } of pictures) {
    const fits =
      segments.length === first?.segments.length &&
      segments.every(
        ({ seconds }, index) => Math.abs(seconds - (first.segments[index]?.seconds ?? 0)) < SAME_SECONDS,
      );
    if (!fits) throw broken(name, 'its segments are cut otherwise than those of the other rungs', damage);
  }
}

/** What is to be said of their lengths. Sound may end before the picture does, so the longest is what counts. */
function lengthsOf(all: readonly Following[], damage: string | null): readonly string[] {
  const [first] = all;
  if (first === undefined) return [];
  const { fault, warnings } = lengthVerdict(first.piece.expects, Math.max(...all.map(lengthOf)), damage);
  if (fault !== null) throw broken(first.name, fault, damage);
  return warnings;
}
