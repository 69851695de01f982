// Init and media segments by FFmpeg agree with what FFmpeg's own demuxer reads.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BrokenBoxes, readInit, readSegment } from '../../src/lib/mp4-boxes.ts';
import { ffmpeg, probePackets, TEST_PICTURE, TEST_SOUND } from '../support/renditions.ts';
import { codecRenditions, MADE, only, RECIPES } from './codec-renditions.ts';

const folder = codecRenditions();

function needs(name: string): boolean {
  return MADE.includes(name);
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
  it.each(MADE.filter((name) => name !== 'flac'))('of %s says what FFmpeg reads in it', (name) => {
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

  it.each(MADE.filter((name) => RECIPES[name]?.[1] === 'v'))(
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
