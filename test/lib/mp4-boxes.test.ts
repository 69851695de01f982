// Init and media segments by FFmpeg agree with what FFmpeg's own demuxer reads; damaged ones surprise nobody.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BrokenBoxes, readInit, readSegment } from '../../src/lib/mp4-boxes.ts';
import type { Track } from '../../src/lib/mp4/init.ts';
import { seededRandom } from '../support/random.ts';
import {
  ffmpeg,
  hasEncoder,
  probePackets,
  renditionFolder,
  renditionOutput,
  TEST_PICTURE,
  TEST_SOUND,
} from '../support/renditions.ts';
import type { Rendition, RenditionFolder } from '../support/renditions.ts';

const GOP = ['-g', '25', '-keyint_min', '25', '-pix_fmt', 'yuv420p'];
const X265 = ['-c:v', 'libx265', '-preset', 'ultrafast', '-tag:v', 'hvc1', '-g', '25'];
const X265_PARAMS = 'log-level=error:scenecut=0:no-open-gop=1:pools=1';
const HDR = ['-color_primaries', 'bt2020', '-colorspace', 'bt2020nc'];

/** A rendition each, with the encoder that it needs. */
const RECIPES: Readonly<
  Record<string, readonly [encoder: string, kind: 'v' | 'a', options: readonly string[]]>
> = {
  h264: [
    'libx264',
    'v',
    [
      '-c:v',
      'libx264',
      '-preset',
      'veryfast',
      '-profile:v',
      'high',
      '-level',
      '3.1',
      '-sc_threshold',
      '0',
      ...GOP,
    ],
  ],
  baseline: [
    'libx264',
    'v',
    [
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-profile:v',
      'baseline',
      '-level',
      '3',
      '-sc_threshold',
      '0',
      ...GOP,
    ],
  ],
  hevc: ['libx265', 'v', [...X265, '-pix_fmt', 'yuv420p', '-x265-params', `${X265_PARAMS}:level-idc=31`]],
  hdr: [
    'libx265',
    'v',
    [
      ...X265,
      '-pix_fmt',
      'yuv420p10le',
      '-x265-params',
      `${X265_PARAMS}:level-idc=31`,
      '-color_trc',
      'smpte2084',
      ...HDR,
    ],
  ],
  hlg: [
    'libx265',
    'v',
    [...X265, '-pix_fmt', 'yuv420p10le', '-x265-params', X265_PARAMS, '-color_trc', 'arib-std-b67', ...HDR],
  ],
  av1: ['libsvtav1', 'v', ['-c:v', 'libsvtav1', '-preset', '10', ...GOP]],
  av1hdr: [
    'libaom-av1',
    'v',
    [
      '-c:v',
      'libaom-av1',
      '-cpu-used',
      '8',
      '-usage',
      'realtime',
      '-g',
      '25',
      '-pix_fmt',
      'yuv420p10le',
      '-color_trc',
      'smpte2084',
      ...HDR,
    ],
  ],
  vp9: ['libvpx-vp9', 'v', ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', ...GOP]],
  mono: ['aac', 'a', ['-c:a', 'aac', '-b:a', '64k']],
  stereo: ['aac', 'a', ['-c:a', 'aac', '-ac', '2', '-ar', '44100']],
  surround: ['aac', 'a', ['-c:a', 'aac', '-ac', '6']],
  opus: ['libopus', 'a', ['-c:a', 'libopus', '-ac', '2']],
  flac: ['flac', 'a', ['-c:a', 'flac', '-ac', '2', '-strict', '-2']],
  mp3: ['libmp3lame', 'a', ['-c:a', 'libmp3lame', '-ac', '2']],
};
const made = Object.keys(RECIPES).filter((name) => hasEncoder(RECIPES[name]?.[0] ?? ''));

let folder: RenditionFolder;
beforeAll(() => {
  folder = renditionFolder();
  ffmpeg(
    ...TEST_PICTURE,
    ...TEST_SOUND,
    ...made.flatMap((name) => {
      const [, kind, options] = RECIPES[name] ?? ['', 'v', []];
      return ['-map', kind === 'v' ? '0:v' : '1:a', ...options, ...renditionOutput(folder, name)];
    }),
  );
});
afterAll(() => folder[Symbol.dispose]());

function only(bytes: Uint8Array): Track {
  const [track, ...more] = readInit(bytes);
  if (track === undefined || more.length > 0) throw new Error('not one track');
  return track;
}

function needs(name: string): boolean {
  return made.includes(name);
}

describe('an initialization segment', () => {
  it.runIf(needs('h264'))('of H.264', () => {
    expect(only(folder.rendition('h264').init)).toMatchObject({
      kind: 'video',
      id: 1,
      timescale: 12_800,
      codec: 'avc1.64001f',
      width: 160,
      height: 90,
      range: null,
      // Two frames of reordering, taken away again.
      shift: -1024,
    });
    expect(only(folder.rendition('baseline').init)).toMatchObject({ codec: 'avc1.42c01e', shift: 0 });
  });

  it.runIf(needs('hevc'))('of HEVC', () => {
    expect(only(folder.rendition('hevc').init)).toMatchObject({ codec: 'hvc1.1.6.L93.90', range: null });
    expect(only(folder.rendition('hdr').init)).toMatchObject({ codec: 'hvc1.2.4.L93.90', range: 'PQ' });
    expect(only(folder.rendition('hlg').init)).toMatchObject({ range: 'HLG' });
  });

  it.runIf(needs('av1'))('of AV1', () => {
    const { stream } = probePackets(joined('av1'), 'v');
    const level = String(stream['level']).padStart(2, '0');
    expect(only(folder.rendition('av1').init)).toMatchObject({ codec: `av01.0.${level}M.08`, width: 160 });
  });

  it.runIf(needs('av1hdr'))('of AV1 with the colours of HDR10', () => {
    expect(only(folder.rendition('av1hdr').init)).toMatchObject({
      codec: expect.stringMatching(/^av01\.0\.\d\dM\.10\.0\.11[012]\.09\.16\.09\.0$/) as string,
      range: 'PQ',
    });
  });

  it.runIf(needs('vp9'))('of VP9', () => {
    expect(only(folder.rendition('vp9').init)).toMatchObject({
      codec: expect.stringMatching(/^vp09\.00\.1\d\.08$/) as string,
    });
  });

  it('of AAC, whose sample entry always says stereo', () => {
    expect(only(folder.rendition('mono').init)).toMatchObject({
      kind: 'audio',
      timescale: 48_000,
      codec: 'mp4a.40.2',
      channels: 1,
      sampleRate: 48_000,
      shift: -1024,
    });
    expect(only(folder.rendition('stereo').init)).toMatchObject({ channels: 2, sampleRate: 44_100 });
    expect(only(folder.rendition('surround').init)).toMatchObject({ channels: 6 });
  });

  it.runIf(needs('opus'))('of Opus', () => {
    expect(only(folder.rendition('opus').init)).toMatchObject({
      codec: 'Opus',
      channels: 2,
      sampleRate: 48_000,
    });
  });

  it.runIf(needs('flac'))('of FLAC', () => {
    expect(only(folder.rendition('flac').init)).toMatchObject({
      codec: 'fLaC',
      channels: 2,
      sampleRate: 48_000,
    });
  });

  it.runIf(needs('mp3'))('of MP3', () => {
    expect(only(folder.rendition('mp3').init).codec).toMatch(/^mp4a\.6[9B]$/);
  });

  it('of HE-AAC, written by hand: the rate is that of the high part', () => {
    // AudioSpecificConfig: object type 5, core 24 kHz, stereo, high part 48 kHz, then object type 2.
    const configuration = Buffer.from('2b118800', 'hex');
    const init = Buffer.from(folder.rendition('mono').init);
    const at = init.indexOf(Buffer.from('0580808005', 'hex')) + 5;
    configuration.copy(init, at);
    expect(only(init)).toMatchObject({ codec: 'mp4a.40.5', channels: 2, sampleRate: 48_000 });
  });

  it('of codecs in their rarer forms, written by hand', () => {
    const patched = (name: string, box: string, bytes: Record<number, number>): string => {
      const init = Buffer.from(folder.rendition(name).init);
      const at = init.indexOf(box) + 4;
      for (const [offset, byte] of Object.entries(bytes)) init.writeUInt8(byte, at + Number(offset));
      return only(init).codec;
    };
    expect(patched('h264', 'avcC', { 1: 0x42, 2: 0xe0, 3: 0x0a })).toBe('avc1.42e00a');
    if (needs('hevc')) {
      // Profile space 1, high tier, profile 2; compatible with 0 and 31; all constraints gone but one.
      const flags = { 1: 0x62, 2: 0x80, 3: 0, 4: 0, 5: 1, 6: 0, 7: 0, 8: 0x0a, 12: 120 };
      expect(patched('hevc', 'hvcC', flags)).toBe('hvc1.A2.80000001.H120.0.0.A');
      expect(patched('hevc', 'hvcC', { 6: 0, 7: 0, 8: 0, 9: 0, 10: 0, 11: 0 })).toBe('hvc1.1.6.L93');
    }
    if (needs('av1')) {
      // The last example of the specification, but for its colours: profile 0, level 5, main tier, monochrome, 10 bits.
      expect(patched('av1', 'av1C', { 1: 0x04, 2: 0x5c })).toBe('av01.0.04M.10.1.110.01.01.01.0');
      expect(patched('av1', 'av1C', { 1: 0x4f, 2: 0xe0 })).toBe('av01.2.15H.12.0.000.01.01.01.0');
    }
    if (needs('vp9')) {
      // As in the specification: profile 2, level 1, 10 bits, BT.2020 and PQ.
      const bytes = { 4: 2, 5: 10, 6: 0xa2, 7: 9, 8: 16, 9: 9 };
      expect(patched('vp9', 'vpcC', bytes)).toBe('vp09.02.10.10.01.09.16.09.00');
      expect(patched('vp9', 'vpcC', { 5: 41, 6: 0x80, 7: 2, 8: 2, 9: 2 })).toBe('vp09.00.41.08');
    }
  });

  it('of several tracks: subtitles and others are passed over', () => {
    const text = folder.write('text.srt', '1\n00:00:00,000 --> 00:00:01,000\nhello\n');
    const file = folder.join('several.mp4');
    ffmpeg(
      ...[
        ...TEST_PICTURE,
        ...TEST_SOUND,
        '-i',
        text,
        '-map',
        '2',
        '-map',
        '1',
        '-map',
        '0',
        '-c:s',
        'mov_text',
      ],
      ...['-c:v', 'libx264', '-c:a', 'aac', '-movflags', 'frag_keyframe+empty_moov+default_base_moof', file],
    );
    expect(readInit(readFileSync(file)).map(({ id, kind }) => [id, kind])).toEqual([
      [2, 'audio'],
      [3, 'video'],
    ]);
  });
});

/** The whole rendition as one file. */
function joined(name: string): string {
  const { init, segments } = folder.rendition(name);
  return folder.write(`${name}.joined.mp4`, Buffer.concat([init, ...segments]));
}

describe('a media segment', () => {
  // FLAC ends with a segment of nothing.
  it.each(made.filter((name) => name !== 'flac'))('of %s says what FFmpeg reads in it', (name) => {
    const rendition = folder.rendition(name);
    const track = only(rendition.init);
    const all = probePackets(joined(name), track.kind === 'video' ? 'v' : 'a');
    expect(all.stream).toMatchObject({
      time_base: `1/${track.timescale}`,
      codec_tag_string: track.codec.split('.')[0],
    });
    let at = 0;
    let before = rendition.init.length;
    expect(rendition.segments.length).toBeGreaterThanOrEqual(2);
    for (const [index, bytes] of rendition.segments.entries()) {
      const segment = readSegment(bytes, track);
      const packets = all.packets.slice(at, at + segment.samples);
      at += segment.samples;
      const { offset, length } = segment.firstSample;
      expect(before + offset + length).toBe((packets[0]?.position ?? 0) + (packets[0]?.size ?? 0));
      before += bytes.length;
      expect(segment.bytes).toBe(bytes.length);
      expect(segment.decodeTime + track.shift).toBe(packets[0]?.dts);
      expect(segment.presentationTime).toBe(Math.min(...packets.map(({ pts }) => pts)));
      const next = all.packets[at]?.dts;
      if (next !== undefined) expect(segment.duration).toBe(next - (packets[0]?.dts ?? 0));
      expect(segment.seconds).toBe(segment.duration / track.timescale);
      expect([segment.startsWithSync, packets[0]?.key]).toEqual([true, true]);
      const listed = [...rendition.playlist.matchAll(/#EXTINF:([\d.]+),/g)][index]?.[1];
      // FFmpeg lists the last one as if its last sample were whole.
      if (next === undefined) expect(Math.abs(segment.seconds - Number(listed))).toBeLessThan(0.025);
      else expect(segment.seconds).toBeCloseTo(Number(listed), 5);
    }
    expect(at).toBe(all.packets.length);
  });

  it.each(made.filter((name) => RECIPES[name]?.[1] === 'v'))(
    'of %s: its first sample is a picture',
    (name) => {
      const { init, segments } = folder.rendition(name);
      const frame = (bytes: Uint8Array): string =>
        ffmpeg(
          ...['-i', folder.write('one.mp4', Buffer.concat([init, bytes]))],
          ...['-map', '0:v', '-frames:v', '1', '-pix_fmt', 'yuv420p', '-f', 'framemd5', '-'],
        )
          .toString()
          .replaceAll(/^#.*\n/gm, '')
          .split(',')
          .slice(-2)
          .join();
      const bytes = segments[1] ?? Buffer.alloc(0);
      const { offset, length } = readSegment(bytes, only(init)).firstSample;
      expect(length).toBeLessThan(bytes.length);
      const range = bytes.subarray(offset, offset + length);
      expect(range.toString('latin1', 4, 8)).toBe('moof');
      const picture = frame(range);
      expect(picture).toMatch(/^ *21600, [0-9a-f]{32}\s*$/);
      expect(picture).toBe(frame(bytes));
    },
  );

  it('says when it does not begin with a keyframe', () => {
    const { init, segments } = folder.rendition('h264');
    const bytes = Buffer.from(segments[0] ?? []);
    const flags = bytes.indexOf('trun') + 16;
    expect(bytes.readUInt32BE(flags)).toBe(0x0200_0000);
    bytes.writeUInt32BE(0x0101_0000, flags);
    expect(readSegment(bytes, only(init)).startsWithSync).toBe(false);
  });

  it.each(['default_base_moof', 'frag_keyframe'])('may be of several fragments and tracks: %s', (base) => {
    const file = folder.join('fragments.mp4');
    ffmpeg(
      ...[...TEST_PICTURE, ...TEST_SOUND, '-c:v', 'libx264', '-g', '10', '-c:a', 'aac'],
      ...['-movflags', `frag_keyframe+empty_moov+delay_moov+${base}`, file],
    );
    const bytes = readFileSync(file);
    const tracks = readInit(bytes);
    expect(tracks).toHaveLength(2);
    for (const track of tracks) {
      const { packets } = probePackets(file, track.kind === 'video' ? 'v' : 'a');
      const segment = readSegment(bytes, track);
      expect(segment.samples).toBe(packets.length);
      expect(segment.decodeTime + track.shift).toBe(packets[0]?.dts);
      expect(segment.presentationTime).toBe(Math.min(...packets.map(({ pts }) => pts)));
      const last = (packets.at(-1)?.dts ?? 0) - (packets[0]?.dts ?? 0);
      expect(segment.duration).toBeGreaterThan(last);
      expect(segment.duration).toBeLessThanOrEqual(last + track.timescale / 25);
      expect(segment.firstSample.offset).toBe(bytes.indexOf('moof') - 4);
    }
    expect(() => readSegment(bytes, { ...only(folder.rendition('h264').init), id: 7 })).toThrow(/no samples/);
  });

  it('may begin with data that is of no concern, but its first sample follows its fragment', () => {
    const { init, segments } = folder.rendition('mono');
    const track = only(init);
    const segment = segments[0] ?? Buffer.alloc(0);
    const before = Buffer.from('000000106d6461740011223344556677', 'hex');
    const bytes = Buffer.concat([before, segment]);
    const plain = readSegment(segment, track);
    expect(readSegment(bytes, track).firstSample).toEqual({
      offset: plain.firstSample.offset + before.length,
      length: plain.firstSample.length,
    });
    // One sample of 8 bytes, in the data before.
    const trun = bytes.indexOf('trun') + 4;
    const moof = bytes.indexOf('moof') - 4;
    bytes.writeInt32BE(before.length - 8 - moof, trun + 8);
    bytes.writeUInt32BE(8, trun + 12);
    expect(() => readSegment(bytes, track)).toThrow(/first sample does not lie in the data/);
  });

  it('without samples is none', () => {
    const { init, segments } = folder.rendition('h264');
    const bytes = Buffer.from(segments[0] ?? []);
    bytes.writeUInt32BE(0, bytes.indexOf('trun') + 8);
    expect(() => readSegment(bytes, only(init))).toThrow(/there are no samples/);
  });

  it('takes from the initialization segment what a fragment leaves out', () => {
    const { init, segments } = folder.rendition('baseline');
    const track = only(init);
    const bytes = Buffer.from(segments[0] ?? []);
    const tfhd = bytes.indexOf('tfhd') + 4;
    // Flags: duration, size and flags of samples are there. The values are kept, but nothing points to them.
    expect(bytes.readUInt32BE(tfhd)).toBe(0x2_00_38);
    bytes.writeUInt32BE(0x2_00_00, tfhd);
    const defaults = { duration: 512, size: 77, flags: 0x1_00_00 };
    const whole = readSegment(segments[0] ?? bytes, track);
    expect(readSegment(bytes, { ...track, defaults })).toMatchObject({
      duration: whole.samples * 512,
      startsWithSync: true,
    });
    expect(readSegment(bytes, { ...track, defaults: { ...defaults, duration: 100 } }).duration).toBe(
      whole.samples * 100,
    );
  });

  it('reads negative composition offsets and times of 64 bits', () => {
    const { init, segments } = folder.rendition('h264');
    const track = only(init);
    const bytes = Buffer.from(segments[1] ?? []);
    const trun = bytes.indexOf('trun') + 4;
    const before = readSegment(bytes, track);
    // Flags: offset, flags of the first, sizes, composition offsets. The first sample's last field:
    expect(bytes.readUInt32BE(trun) & 0xff_ff_ff).toBe(0xa05);
    bytes.writeUInt8(1, trun);
    bytes.writeInt32BE(-500, trun + 20);
    expect(readSegment(bytes, track).presentationTime).toBe(before.decodeTime - 500 + track.shift);
    const tfdt = bytes.indexOf('tfdt') + 4;
    expect(bytes.readUInt8(tfdt)).toBe(1);
    bytes.writeBigUInt64BE(2n ** 40n, tfdt + 4);
    expect(readSegment(bytes, track).decodeTime).toBe(2 ** 40);
    bytes.writeBigUInt64BE(2n ** 63n, tfdt + 4);
    expect(() => readSegment(bytes, track)).toThrow(BrokenBoxes);
  });
});

const CONTAINERS = new Set(['moov', 'trak', 'edts', 'mdia', 'minf', 'stbl', 'mvex', 'moof', 'traf']);

/** Where boxes begin, those inside others too. */
function boxStarts(bytes: Buffer, from = 0, to = bytes.length): number[] {
  const starts: number[] = [];
  for (let at = from; at < to; at += bytes.readUInt32BE(at)) {
    starts.push(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (CONTAINERS.has(type)) starts.push(...boxStarts(bytes, at + 8, at + bytes.readUInt32BE(at)));
    if (type === 'stsd') starts.push(at + 16);
  }
  return starts;
}

describe('hostile bytes', () => {
  const names = ['h264', 'hevc', 'av1', 'vp9', 'mono', 'opus', 'flac'].filter(needs);

  /** Either a sane answer or BrokenBoxes; and the same whatever lies around the bytes in memory. */
  function attempt(read: (bytes: Uint8Array) => unknown, bytes: Uint8Array): 'read' | 'broken' {
    const answers = [0, 255].map((filler) => {
      const memory = new Uint8Array(bytes.length + 64).fill(filler);
      memory.set(bytes, 32);
      try {
        return read(memory.subarray(32, 32 + bytes.length));
      } catch (error) {
        if (error instanceof BrokenBoxes) return 'broken';
        throw error;
      }
    });
    expect(answers[0]).toEqual(answers[1]);
    return answers[0] === 'broken' ? 'broken' : 'read';
  }

  function checkedSegment(track: Track): (bytes: Uint8Array) => unknown {
    return (bytes) => {
      const segment = readSegment(bytes, track);
      const { offset, length } = segment.firstSample;
      expect(offset >= 0 && length > 0 && offset + length <= bytes.length).toBe(true);
      expect(segment.samples).toBeGreaterThan(0);
      for (const time of [segment.decodeTime, segment.presentationTime, segment.duration]) {
        expect(Number.isSafeInteger(time)).toBe(true);
      }
      return segment;
    };
  }

  function checkedInit(bytes: Uint8Array): unknown {
    const tracks = readInit(bytes);
    for (const track of tracks) {
      expect(track.codec).toMatch(/^[\w.-]{4,60}$/);
      expect(track.timescale).toBeGreaterThan(0);
      expect(Number.isSafeInteger(track.shift)).toBe(true);
    }
    return tracks;
  }

  function each(run: (rendition: Rendition, track: Track) => void): void {
    for (const name of names) {
      const rendition = folder.rendition(name);
      run(rendition, only(rendition.init));
    }
  }

  it('nothing at all', () => {
    expect(() => readInit(new Uint8Array())).toThrow(BrokenBoxes);
    expect(() => readInit(Buffer.from('#EXTM3U\n#EXT-X-VERSION:7\n'))).toThrow(BrokenBoxes);
    const track = only(folder.rendition('mono').init);
    expect(() => readSegment(new Uint8Array(), track)).toThrow(BrokenBoxes);
    expect(() => readSegment(folder.rendition('mono').init, track)).toThrow(BrokenBoxes);
  });

  it.each(['00000002', '7fffffff', '00000001'])('a box whose size is %s: said, with the numbers', (size) => {
    const bytes = Buffer.from(`${size}6d6f6f760000000000000009`, 'hex');
    expect(() => readInit(bytes)).toThrow(/^a box says that it has \d+ bytes where 16 are left$/);
  });

  it('cut off anywhere', () => {
    each(({ init, segments }, track) => {
      const movie = init.length - 1;
      for (let length = 0; length <= movie; length++) {
        expect(attempt(checkedInit, init.subarray(0, length))).toBe('broken');
      }
      const segment = segments[0] ?? Buffer.alloc(0);
      for (let length = 0; length < segment.length; length += length < 700 ? 1 : 97) {
        expect(attempt(checkedSegment(track), segment.subarray(0, length))).toBe('broken');
      }
    });
  });

  it('boxes of no, odd and huge sizes', () => {
    let read = 0;
    let broken = 0;
    const lying = (original: Buffer, check: (bytes: Uint8Array) => unknown): void => {
      for (const at of boxStarts(original)) {
        for (const size of [0, 1, 2, 7, 8, 9, 0x7fff_ffff, 0xffff_ffff]) {
          for (const long of size === 1 ? [0n, 1n, 15n, 16n, 2n ** 53n, 2n ** 64n - 1n] : [null]) {
            const bytes = Buffer.from(original);
            bytes.writeUInt32BE(size, at);
            if (long !== null && at + 16 <= bytes.length) bytes.writeBigUInt64BE(long, at + 8);
            if (attempt(check, bytes) === 'read') read += 1;
            else broken += 1;
          }
        }
      }
    };
    each(({ init, segments }, track) => {
      lying(init, checkedInit);
      lying(segments[0] ?? Buffer.alloc(0), checkedSegment(track));
    });
    // Some boxes are of no interest, and what they say is not looked at.
    expect(broken).toBeGreaterThan(read);
    expect(read).toBeGreaterThan(0);
  });

  it('bits that are wrong', () => {
    const random = seededRandom(20_261_122);
    const seen = { read: 0, broken: 0 };
    each(({ init, segments }, track) => {
      for (let round = 0; round < 300; round++) {
        const flipped = (original: Buffer, reach: number): Buffer => {
          const bytes = Buffer.from(original);
          for (let flips = random.between(1, 6); flips > 0; flips--) {
            const at = random.between(0, Math.min(reach, bytes.length) - 1);
            bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random.between(0, 7)), at);
          }
          return bytes;
        };
        seen[attempt(checkedInit, flipped(init, init.length))] += 1;
        seen[attempt(checkedSegment(track), flipped(segments[0] ?? init, 500))] += 1;
      }
    });
    expect(seen.read).toBeGreaterThan(50);
    expect(seen.broken).toBeGreaterThan(50);
  });

  it('four billion samples in a run without a byte of them', () => {
    const { init, segments } = folder.rendition('mono');
    const track = only(init);
    const bytes = Buffer.from(segments[0] ?? []);
    const trun = bytes.indexOf('trun') + 4;
    const offset = bytes.readUInt32BE(trun + 8);
    bytes.writeUInt32BE(0x1, trun);
    bytes.writeUInt32BE(0xffff_ffff, trun + 4);
    bytes.writeUInt32BE(offset, trun + 8);
    const defaults = { duration: 1024, size: 10, flags: 0 };
    const tfhd = bytes.indexOf('tfhd') + 4;
    bytes.writeUInt32BE(0x2_00_00, tfhd);
    expect(readSegment(bytes, { ...track, defaults })).toMatchObject({
      samples: 0xffff_ffff,
      duration: 0xffff_ffff * 1024,
    });
    const long = { ...track, defaults: { ...defaults, duration: 0xffff_ffff } };
    expect(() => readSegment(bytes, long)).toThrow(/beyond what can be counted/);
    // And with fields: they are not there.
    bytes.writeUInt32BE(0x301, trun);
    expect(() => readSegment(bytes, track)).toThrow(BrokenBoxes);
  });
});
