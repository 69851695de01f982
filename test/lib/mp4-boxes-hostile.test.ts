// Damaged and lying MP4 boxes surprise nobody.

import { describe, expect, it } from 'vitest';
import { BrokenBoxes, readInit, readSegment } from '../../src/lib/mp4-boxes.ts';
import type { Track } from '../../src/lib/mp4/init.ts';
import { seededRandom } from '../support/random.ts';
import type { Rendition } from '../support/renditions.ts';
import { codecRenditions, MADE, only } from './codec-renditions.ts';

const names = ['h264', 'hevc', 'av1', 'vp9', 'mono', 'opus', 'flac'].filter((name) => MADE.includes(name));
const folder = codecRenditions(names);

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
