// What a media file really is, as ffprobe sees it: the check of every video that was made.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { check, checkEqual } from './check.ts';
import { FFPROBE } from './media.ts';

export interface Facts {
  readonly video: string | null;
  readonly audio: string | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly seconds: number;
}

/** `source`: a path or an address. Rejects if it cannot be read. */
export async function probe(source: string): Promise<Facts> {
  const what = 'stream=codec_type,codec_name,width,height:format=duration';
  const { stdout } = await promisify(execFile)(FFPROBE, [
    '-v',
    'error',
    '-of',
    'json',
    '-show_entries',
    what,
    source,
  ]);
  const { streams, format } = JSON.parse(stdout) as {
    streams: { codec_type: string; codec_name: string; width?: number; height?: number }[];
    format: { duration: string };
  };
  const video = streams.find((stream) => stream.codec_type === 'video');
  const audio = streams.find((stream) => stream.codec_type === 'audio');
  return {
    video: video?.codec_name ?? null,
    audio: audio?.codec_name ?? null,
    width: video?.width ?? null,
    height: video?.height ?? null,
    seconds: Number(format.duration),
  };
}

/** Throws CheckFailed unless a file is of that height, length (give or take 0.2 s) and codecs (those of MP4). */
export async function checkVideo(
  what: string,
  source: string,
  expected: {
    readonly height: number;
    readonly seconds: number;
    readonly codecs?: readonly [string, string] | undefined;
  },
): Promise<void> {
  const facts = await probe(source);
  checkEqual(
    `${what}: codecs and height`,
    [facts.video, facts.audio, facts.height],
    [...(expected.codecs ?? ['h264', 'aac']), expected.height],
  );
  const off = Math.abs(facts.seconds - expected.seconds);
  check(off < 0.2, `${what}: expected ${expected.seconds} s, came ${facts.seconds} s`);
}
