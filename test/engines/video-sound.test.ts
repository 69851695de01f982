import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyframeGaps, measureKeyframes } from '../../src/engines/analyses/keyframes.ts';
import { readLoudness } from '../../src/engines/analyses/loudness.ts';
import type { AnalysisContext } from '../../src/engines/analyse.ts';
import { FfmpegTools } from '../../src/engines/ffmpeg-tools.ts';
import { sniff } from '../../src/lib/media-type.ts';
import { probeOf, sourceOf } from '../operations/video/sources.ts';
import { AAC, ASK_THE_REAL, engine, ffmpeg, folder, H264, look, produce, script } from './video-fixtures.ts';
import type { Folder } from './video-fixtures.ts';

const run = promisify(execFile);
const videos = engine();
let place: Folder;
/** Six seconds of H.264 with a tone of 1000 Hz left and 400 Hz right, at a fifth of full scale. */
let film: string;
/** Eight seconds of soft sound with a loud knock in each. */
let speech: string;

beforeAll(async () => {
  place = await folder();
  film = place.join('film.mp4');
  speech = place.join('speech.wav');
  const tones = 'aevalsrc=0.2*sin(2*PI*1000*t)|0.2*sin(2*PI*400*t):s=48000:d=6';
  await ffmpeg(
    ...['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=25:duration=6', '-f', 'lavfi', '-i', tones],
    ...[...H264, ...AAC, film],
  );
  const uneven = 'aevalsrc=(0.04+0.5*lt(mod(t\\,1)\\,0.01))*sin(2*PI*300*t):s=44100:d=8';
  await ffmpeg('-f', 'lavfi', '-i', uneven, speech);
});
afterAll(async () => {
  await videos.close();
  await place[Symbol.asyncDispose]();
});

const WAV = { mediaType: 'audio/wav' };
const audio = (rest: object = {}) => ({ type: 'audio', ...rest });

/** LUFS and dBFS by FFmpeg's own meter, another than the one that was normalised with. */
async function meter(path: string): Promise<{ loudness: number; peak: number }> {
  const args = [
    '-nostdin',
    '-hide_banner',
    '-nostats',
    '-i',
    path,
    '-af',
    'ebur128=peak=true',
    '-f',
    'null',
    '-',
  ];
  const { stderr } = await run('ffmpeg', args, { maxBuffer: 10_000_000 });
  const summary = stderr.slice(stderr.lastIndexOf('Summary:'));
  const figure = (name: string): number => Number(new RegExp(`${name}:\\s+(-?[\\d.]+)`).exec(summary)?.[1]);
  return { loudness: figure('I'), peak: figure('Peak') };
}

/** Decoded samples, one channel of signed 16 bits. */
async function samples(path: string, ...filters: string[]): Promise<Int16Array> {
  const args = ['-v', 'error', '-i', path, ...(filters.length > 0 ? ['-af', filters.join(',')] : [])];
  const { stdout } = await run('ffmpeg', [...args, '-f', 's16le', '-ac', '1', '-ar', '16000', '-'], {
    encoding: 'buffer',
    maxBuffer: 50_000_000,
  });
  return new Int16Array(stdout.buffer, stdout.byteOffset, Math.floor(stdout.length / 2));
}
const loudest = (values: Int16Array): number =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describe('sound as a file', () => {
  it.each([
    ['aac', 'aac', 'mov,mp4,m4a,3gp,3g2,mj2'],
    ['mp3', 'mp3', 'mp3'],
    ['opus', 'opus', 'ogg'],
    ['flac', 'flac', 'flac'],
    ['wav', 'pcm_s16le', 'wav'],
  ])('in %s lasts as long as the source and holds nothing else', async (format, codec, container) => {
    const { files } = await produce(videos, place, film, {
      out: audio({ format, encode: 'always', bitrate: undefined }),
    });
    const { streams, format: found } = await look(files['out']?.path ?? '');
    expect(streams.map(({ codec_name: name, channels }) => [name, channels])).toEqual([[codec, 2]]);
    expect((found as { format_name?: string }).format_name).toBe(container);
    expect(files['out']).toMatchObject({ width: null, height: null });
    expect(sniff(await readFile(files['out']?.path ?? ''))?.mediaType).toBe(files['out']?.mediaType);
    expect(files['out']?.durationSeconds).toBeCloseTo(6, 1);
    expect(Object.keys(found.tags ?? {}).filter((tag) => !/brand|version|encoder/i.test(tag))).toEqual([]);
  });

  it('is copied where it is as asked for, sample by sample', async () => {
    const { files } = await produce(videos, place, film, { out: audio() });
    expect(files['out']?.decisions[0]).toBe('sound copied: it is AAC, stereo, as asked for');
    expect(await samples(files['out']?.path ?? '')).toEqual(await samples(film));
  });

  it('is cut to the sample, at the rate that was asked for', async () => {
    const { files } = await produce(videos, place, film, {
      out: audio({ format: 'wav', start: 1.5, end: 3, sampleRate: 8000, channels: 1 }),
    });
    const [stream] = (await look(files['out']?.path ?? '')).streams;
    expect(stream).toMatchObject({ sample_rate: '8000', channels: 1 });
    expect(Number(stream?.['duration'])).toBeCloseTo(1.5, 2);
  });

  it('of stereo as mono is both channels, no louder than they were', async () => {
    const { files } = await produce(videos, place, film, { out: audio({ format: 'wav', channels: 1 }) });
    const path = files['out']?.path ?? '';
    // Two tones of 0.2, halved and added. Where FFmpeg mixes by itself it is 0.14.
    const mixed = await samples(path);
    const power = mixed.reduce((sum, value) => sum + (value / 32_768) ** 2, 0) / mixed.length;
    expect(Math.sqrt(power)).toBeCloseTo(0.1, 2);
    for (const frequency of [1000, 400]) {
      const tone = await samples(path, `bandpass=f=${frequency}:width_type=h:w=20`);
      expect(loudest(tone.subarray(16_000)) / 32_768).toBeGreaterThan(0.07);
    }
  });

  it('of a song leaves its cover and its words behind', async () => {
    const song = place.join('song.mp3');
    await ffmpeg(
      ...[
        '-f',
        'lavfi',
        '-i',
        'sine=frequency=500:duration=3',
        '-f',
        'lavfi',
        '-i',
        'color=red:size=64x64:rate=1:duration=1',
      ],
      ...['-map', '0', '-map', '1', '-c:v', 'mjpeg', '-disposition:v', 'attached_pic'],
      ...['-metadata', 'title=A secret song', '-c:a', 'libmp3lame', '-b:a', '96k', song],
    );
    expect((await readFile(song)).includes('A secret song')).toBe(true);
    const { files } = await produce(
      videos,
      place,
      song,
      { copy: audio({ format: 'mp3' }), aac: audio(), wave: { type: 'waveform' } },
      { mediaType: 'audio/mpeg' },
    );
    expect(files['copy']?.decisions[0]).toContain('sound copied');
    for (const name of ['copy', 'aac']) {
      const { streams } = await look(files[name]?.path ?? '');
      expect(streams.map(({ codec_type: type }) => type)).toEqual(['audio']);
      expect((await readFile(files[name]?.path ?? '')).includes('A secret song')).toBe(false);
    }
    expect(files['wave']?.durationSeconds).toBeCloseTo(3, 1);
  });

  it('takes the track that was asked for', async () => {
    const two = place.join('two.mkv');
    await ffmpeg(
      ...[
        '-f',
        'lavfi',
        '-i',
        'sine=frequency=300:duration=2',
        '-f',
        'lavfi',
        '-i',
        'sine=frequency=3000:duration=2',
      ],
      ...['-map', '0', '-map', '1', '-metadata:s:a:0', 'language=eng', '-metadata:s:a:1', 'language=ger'],
      ...['-c:a', 'flac', two],
    );
    const { files } = await produce(
      videos,
      place,
      two,
      {
        number: audio({ format: 'wav', track: 2 }),
        word: audio({ format: 'wav', track: 'de' }),
        first: audio({ format: 'wav' }),
        tagged: audio({ track: 'de' }),
      },
      { mediaType: 'video/x-matroska' },
    );
    const high = async (name: string): Promise<number> =>
      loudest(await samples(files[name]?.path ?? '', 'highpass=f=2000', 'highpass=f=2000'));
    expect(await high('number')).toBeGreaterThan(2000);
    expect(await high('word')).toBeGreaterThan(2000);
    expect(await high('first')).toBeLessThan(500);
    const { streams } = await look(files['tagged']?.path ?? '');
    expect(streams[0]?.['tags']).toMatchObject({ language: 'ger' });
  });

  it('of a file without sound is refused by name', async () => {
    const mute = place.join('mute.mp4');
    await ffmpeg('-f', 'lavfi', '-i', 'color=red:size=64x64:rate=5:duration=1', ...H264, mute);
    for (const output of [audio(), { type: 'waveform' }]) {
      await expect(produce(videos, place, mute, { output })).rejects.toMatchObject({
        code: 'stream_missing',
      });
    }
  });
});

describe('loudness', () => {
  it.each([
    [{ format: 'wav', loudness: -30 }, 'one change of level for all of it'],
    [{ format: 'mp3', loudness: -16, bitrate: 192 }, 'would rise above -1.5'],
    [{ format: 'aac', loudness: -14, truePeak: -3, bitrate: 256 }, 'would rise above -3'],
  ])('%j is met within half a unit', async (asked, decision) => {
    const { files } = await produce(videos, place, speech, { out: audio(asked) }, WAV);
    expect(files['out']?.decisions.join()).toContain(decision);
    const { loudness, peak } = await meter(files['out']?.path ?? '');
    expect(Math.abs(loudness - asked.loudness)).toBeLessThanOrEqual(0.5);
    // An encoder that loses something may overshoot a little.
    const most = 'truePeak' in asked ? asked.truePeak : -1.5;
    expect(peak).toBeLessThanOrEqual(most + (asked.format === 'wav' ? 0.1 : 1));
    const [stream] = (await look(files['out']?.path ?? '')).streams;
    expect(stream?.['sample_rate']).toBe('48000');
  });

  it('of silence is left alone', async () => {
    const silence = place.join('silence.wav');
    await ffmpeg('-f', 'lavfi', '-i', 'anullsrc=r=48000:cl=stereo', '-t', '4', silence);
    const { files } = await produce(
      videos,
      place,
      silence,
      { out: audio({ format: 'flac', loudness: -16 }) },
      WAV,
    );
    expect(files['out']?.decisions).toContain('loudness left alone: the sound is silence');
    expect(loudest(await samples(files['out']?.path ?? ''))).toBe(0);
  });

  it('is read from what FFmpeg prints, silence and nonsense told apart', () => {
    const printed = (input: string): string =>
      `[Parsed_loudnorm_0 @ 0x1] \n{\n"input_i" : "${input}", "input_tp" : "-3.1", "input_lra" : "4.0", "input_thresh" : "-30.2", "target_offset" : "0.4"\n}`;
    expect(readLoudness(printed('-20.5'))).toEqual({
      integrated: -20.5,
      range: 4,
      peak: -3.1,
      threshold: -30.2,
      offset: 0.4,
    });
    expect(readLoudness(printed('-inf'))).toBeNull();
    expect(readLoudness(printed('1e999'))).toBeUndefined();
    // A tag of the source, before and after, on a line of what JavaScript takes for one.
    const tag = `    title           : \u2028${printed('-5').replaceAll('\n', ' ')}\n`;
    expect(readLoudness(tag)).toBeUndefined();
    expect(readLoudness(`${tag}${printed('-20.5')}\n${tag}`)).toMatchObject({ integrated: -20.5 });
    // Of several, the last one is of the whole.
    expect(readLoudness(`${printed('-30')}\n${printed('-20.5')}`)).toMatchObject({ integrated: -20.5 });
    expect(readLoudness(printed('what'))).toBeUndefined();
    expect(readLoudness('')).toBeUndefined();
  });
});

describe('a waveform', () => {
  it('is drawn where the sound is, and its peaks are those of the samples', async () => {
    const source = place.join('half.wav');
    // A second of silence, then a second at half of full scale.
    await ffmpeg('-f', 'lavfi', '-i', 'aevalsrc=0.5*gte(t\\,1)*sin(2*PI*440*t):s=44100:d=2', source);
    const { files } = await produce(
      videos,
      place,
      source,
      {
        wave: {
          type: 'waveform',
          width: 100,
          height: 40,
          colour: 'ff0000',
          background: 'ffffff',
          peaks: 200,
        },
        dense: { type: 'waveform', peaksPerSecond: 50 },
      },
      WAV,
    );
    const wave = files['wave'];
    expect(wave).toMatchObject({ mediaType: 'image/png', width: 100, height: 40 });
    expect(wave?.durationSeconds).toBeCloseTo(2, 2);
    expect(wave?.files.map(({ file }) => file)).toEqual(['waveform.png', 'peaks.json']);
    const { data } = await sharp(wave?.path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const isRed = (x: number, y: number): boolean => (data[(y * 100 + x) * 3 + 1] ?? 0) < 128;
    // Half of full scale reaches from line 10 to line 30.
    expect([isRed(25, 12), isRed(25, 20), isRed(75, 12), isRed(75, 28), isRed(75, 8)]).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
    const peaksOf = async (name: string) =>
      JSON.parse(await readFile(files[name]?.files[1]?.path ?? '', 'utf8')) as {
        sample_rate: number;
        samples_per_pixel: number;
        length: number;
        data: number[];
      };
    const peaks = await peaksOf('wave');
    expect(peaks).toMatchObject({
      version: 2,
      channels: 1,
      sample_rate: 16_000,
      samples_per_pixel: 160,
      bits: 8,
      length: 200,
    });
    expect(peaks.data).toHaveLength(400);
    expect(peaks.data.slice(0, 190).every((value) => Math.abs(value) <= 1)).toBe(true);
    expect(Math.max(...peaks.data)).toBeGreaterThanOrEqual(62);
    expect(Math.max(...peaks.data)).toBeLessThanOrEqual(65);
    expect(await peaksOf('dense')).toMatchObject({ samples_per_pixel: 320, length: 100 });
  });
});

describe('a job of all kinds', () => {
  it('reads and decodes its source once', async () => {
    const notes = place.join('notes.txt');
    const body = `${ASK_THE_REAL}\ncase "$*" in *"-f null"*) ;; *) echo run >> '${notes}';; esac\nexec ffmpeg "$@"`;
    const noted = engine({ ffmpegPath: await script(place.join('noting-ffmpeg'), body) });
    const { files } = await produce(noted, place, film, {
      video: { type: 'transcode', height: 48, effort: 'fast' },
      board: { type: 'storyboard', width: 32 },
      thumbs: { type: 'thumbnail', count: 3, width: 32 },
      best: { type: 'thumbnail', at: 'best', width: 32 },
      sound: audio({ format: 'opus', loudness: -18 }),
      copy: audio(),
      wave: { type: 'waveform' },
      about: { type: 'probe' },
    });
    await noted.close();
    expect(await readFile(notes, 'utf8')).toBe('run\n');
    expect(Object.keys(files)).toEqual([
      'video',
      'board',
      'thumbs',
      'best',
      'sound',
      'copy',
      'wave',
      'about',
    ]);
    expect(files['board']?.decisions.join()).toMatch(/decoded once, together with/);
    for (const name of ['video', 'sound', 'copy', 'wave'])
      expect(files[name]?.durationSeconds).toBeCloseTo(6, 1);
  });

  it('that decodes keyframes only has its sound whole', async () => {
    const dense = place.join('dense.mp4');
    await ffmpeg('-i', film, '-c:a', 'copy', ...H264, '-g', '10', dense);
    const { files } = await produce(videos, place, dense, {
      board: { type: 'storyboard', everySeconds: 2, width: 32 },
      sound: audio({ format: 'wav' }),
    });
    expect(files['board']?.decisions.join()).toContain('only keyframes were decoded');
    expect(await samples(files['sound']?.path ?? '')).toHaveLength((await samples(dense)).length);
  });
});

describe('the distance of keyframes', () => {
  it('is the longest, the rest after the last one too', () => {
    const gaps = (...lines: string[]) => {
      const reader = new KeyframeGaps();
      for (const line of lines) reader.add(line);
      return reader.found();
    };
    expect(gaps('0.0,K__', '0.04,___', '2.0,K__', '2.5,K__', '3.0,___')).toEqual({ longestSeconds: 2 });
    expect(gaps('0.0,K__', '0.04,___', '9.0,___')).toEqual({ longestSeconds: 9 });
    expect(gaps('N/A,K__')).toEqual({ longestSeconds: null });
  });

  it('is told from all of the video', async () => {
    const path = place.join('sparse-later.mp4');
    // Dense for 66 s, then one for 14 s.
    await ffmpeg(
      ...['-f', 'lavfi', '-i', 'color=red:size=64x64:rate=2:duration=80', ...H264, '-g', '1000'],
      ...['-force_key_frames', 'expr:lt(t,67)*gte(t,n_forced*2)', path],
    );
    const context: AnalysisContext = {
      tools: new FfmpegTools({ ffmpegPath: 'ffmpeg', ffprobePath: 'ffprobe', timeoutSeconds: 60 }),
      place: {
        source: { path, mediaType: 'video/mp4' },
        assets: new Map(),
        scratch: place.path,
        maxPixels: 4096,
        maxSeconds: 100,
      },
      source: sourceOf(probeOf()),
      timeoutSeconds: 60,
      signal: new AbortController().signal,
    };
    expect(await measureKeyframes({ kind: 'keyframes', video: 0 }, context)).toEqual({
      longestSeconds: 13.5,
    });
  });
});
