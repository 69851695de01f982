// What `probe` tells, against what ffprobe does.

import { readFile } from 'node:fs/promises';
import { checkBytes } from './check-privacy.ts';
import { checkSize } from './check-clip.ts';
import { streamsOf } from './look.ts';
import type { Result } from './matrix.ts';
import type { Findings } from './report.ts';
import type { Truth } from './truth.ts';

interface Told {
  readonly durationSeconds: number | null;
  readonly video: readonly {
    main: boolean;
    codec: string;
    width: number;
    height: number;
    hdr: string | null;
  }[];
  readonly audio: readonly { codec: string; channels: number; sampleRate: number }[];
  readonly subtitles: readonly { codec: string }[];
}

export async function checkProbe(result: Result, truth: Truth, found: Findings): Promise<void> {
  const [path = ''] = result.paths;
  const { durationSeconds, video, audio, subtitles } = JSON.parse(await readFile(path, 'utf8')) as Told;
  const { looked, picture, sound } = truth;
  const main = video.filter((stream) => stream.main);
  found.check(main.length === 1 && main[0]?.codec === picture.stream.codec_name, 'has not one main picture');
  const { width = 0, height = 0, hdr = null } = main[0] ?? {};
  const isNear = Math.abs(width - picture.width) < 2 && Math.abs(height - picture.height) < 2;
  if (!isNear) checkSize({ width, height }, picture, found);
  found.check((hdr !== null) === picture.isHdr, `tells of HDR: ${hdr}`);
  found.check(video.length === streamsOf(looked, 'video').length, `tells of ${video.length} pictures`);
  const sounds = streamsOf(looked, 'audio');
  found.check(audio.length === sounds.length, `tells of ${audio.length} tracks of sound`);
  for (const [index, { codec, channels, sampleRate }] of audio.entries()) {
    const { codec_name, channels: wanted, sample_rate } = sounds[index] ?? {};
    const isRight = codec === codec_name && channels === wanted && sampleRate === Number(sample_rate);
    found.check(isRight, `tells of ${codec}, ${channels} channels, ${sampleRate} Hz`);
  }
  found.check(
    subtitles.length === streamsOf(looked, 'subtitle').length,
    `tells of ${subtitles.length} subtitles`,
  );
  const wanted = Number(looked.format.duration);
  found.within('duration', durationSeconds ?? 0, wanted - 0.01, wanted + 0.01);
  found.check(sound === null || audio.length > 0, 'tells of no sound');
  await checkBytes(path, looked, found);
}
