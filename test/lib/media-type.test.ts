// What a file is, by its bytes: real files of every kind, and those that must not be taken for one.

import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeSupported, SNIFF_BYTES, sniff } from '../../src/lib/media-type.ts';

const run = promisify(execFile);
const SAMPLES = resolve(process.env['MEDIA_SAMPLES'] ?? '../shared/media');
const type = (bytes: Uint8Array): string | undefined => sniff(bytes)?.mediaType;
const text = (latin1: string): Buffer => Buffer.from(latin1, 'latin1');
const ftyp = (...brands: string[]): Buffer => {
  const body = text(`ftyp${brands[0]}\0\0\0\0${brands.slice(1).join('')}`);
  return Buffer.concat([Buffer.from([0, 0, 0, body.length + 4]), body, text('\0\0\0\x08mdat')]);
};

describe('pictures', () => {
  it.each(['jpeg', 'png', 'webp', 'gif', 'avif', 'tiff'] as const)('%s', async (format) => {
    const bytes = await sharp({ create: { width: 9, height: 9, channels: 3, background: 'red' } })
      .toFormat(format)
      .toBuffer();
    expect(sniff(bytes)).toEqual({ mediaType: `image/${format}`, kind: 'image' });
  });

  it.each([
    ['image/heic', ftyp('heic', 'mif1', 'heic')],
    ['image/heic', ftyp('mif1', 'heic')],
    ['image/avif', ftyp('mif1', 'avif', 'miaf')],
    ['image/jxl', text('\xff\x0a\xff\x07')],
    ['image/jxl', text('\0\0\0\x0cJXL \r\n\x87\n')],
    ['image/svg+xml', text('<svg xmlns="x">')],
    [
      'image/svg+xml',
      text('\xef\xbb\xbf <?xml version="1.0"?>\n<!-- <html> -->\n<!DOCTYPE svg PUBLIC "a" "b">\n<svg>'),
    ],
    ['image/svg+xml', text('<!DOCTYPE svg [<!ENTITY a "b">]><s:svg xmlns:s="x">')],
  ])('%s', (mediaType, bytes) => {
    expect(sniff(bytes)).toEqual({ mediaType, kind: 'image' });
  });
});

describe('films and sound, as FFmpeg writes them', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mediamill-sniff-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=64x48:rate=25:duration=0.4'];
  const sound = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=0.4'];
  it.each([
    ['video/mp4', 'mp4', [...picture, '-c:v', 'mpeg4']],
    ['video/quicktime', 'mov', [...picture, '-c:v', 'mpeg4']],
    ['video/x-matroska', 'mkv', [...picture, '-c:v', 'mpeg4']],
    ['video/webm', 'webm', [...picture, '-c:v', 'libvpx', '-deadline', 'realtime']],
    ['video/mp2t', 'ts', [...picture, '-c:v', 'mpeg2video']],
    ['video/mp2t', 'm2ts', [...picture, '-c:v', 'mpeg2video', '-f', 'mpegts', '-mpegts_m2ts_mode', '1']],
    ['video/mpeg', 'mpg', [...picture, '-c:v', 'mpeg2video', '-f', 'vob']],
    ['video/x-msvideo', 'avi', [...picture, '-c:v', 'mpeg4']],
    ['video/x-flv', 'flv', [...picture, '-c:v', 'flv']],
    ['video/x-ms-asf', 'wmv', [...picture, '-c:v', 'wmv2']],
    ['audio/mpeg', 'mp3', [...sound, '-c:a', 'libmp3lame', '-id3v2_version', '0', '-write_xing', '0']],
    ['audio/mpeg', 'id3.mp3', [...sound, '-c:a', 'libmp3lame', '-metadata', 'title=x']],
    ['audio/aac', 'aac', [...sound, '-c:a', 'aac', '-f', 'adts']],
    [
      'audio/aac',
      'id3.aac',
      [...sound, '-c:a', 'aac', '-f', 'adts', '-write_id3v2', '1', '-metadata', 'title=x'],
    ],
    ['audio/flac', 'flac', [...sound, '-c:a', 'flac']],
    ['audio/wav', 'wav', sound],
    ['audio/wav', 'rf64.wav', [...sound, '-rf64', 'always']],
    ['audio/ogg', 'ogg', [...sound, '-c:a', 'libvorbis']],
    ['audio/mp4', 'm4a', [...sound, '-c:a', 'aac']],
  ] as [string, string, string[]][])('%s (%s)', async (mediaType, name, args) => {
    const path = join(folder, `made.${name}`);
    await run(process.env['FFMPEG_PATH'] ?? 'ffmpeg', ['-nostdin', '-loglevel', 'error', ...args, path]);
    const bytes = await readFile(path);
    expect(sniff(bytes.subarray(0, SNIFF_BYTES))).toEqual({ mediaType, kind: mediaType.split('/')[0] });
  });

  it.each([
    ['video/ogg', text('OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x2a\x80theora\x03\x02')],
    ['video/quicktime', text('\0\0\0\x08wide\0\0\0\x09mdat')],
    ['video/quicktime', text('\0\x01\x20\x30moov\0\0\0\x6cmvhd')],
    ['video/mp4', ftyp('XYZ ', 'isom')],
    ['video/mp4', ftyp('3gp5', '3gp4')],
  ])('%s', (mediaType, bytes) => {
    expect(type(bytes)).toBe(mediaType);
  });
});

describe('what is no media', () => {
  it.each([
    ['nothing', text('')],
    ['one byte', text('\xff')],
    ['an HLS playlist', text('#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\nfile:///etc/passwd\n')],
    ['a DASH manifest', text('<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>')],
    ['an ffconcat list', text('ffconcat version 1.0\nfile /etc/passwd\n')],
    ['an SDP', text('v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\n')],
    ['concat:', text('concat:a.mp4|b.mp4')],
    ['a web page', text('<!DOCTYPE html><html><svg></svg></html>')],
    ['a web page in a comment', text('<!-- <svg> --><html>')],
    ['an unending comment', text(`<!--${'-'.repeat(5000)}`)],
    ['UTF-16 text', Buffer.from('\ufeffHello there, this is a text', 'utf16le')],
    ['text with wide in it', text('The wide river, and more of it')],
    ['text of G', text('G'.padEnd(400, 'x'))],
    ['a JPEG 2000', text('\0\0\0\x0cjP  \r\n\x87\n')],
    ['a camera raw file', ftyp('crx ', 'crx ')],
    ['a RIFF of something', text('RIFF\0\0\0\0ACON')],
    ['an EBML of something', text('\x1aE\xdf\xa3\x84\x42\x82\x83abc')],
    ['a PDF', text('%PDF-1.7\n')],
    ['a program', text('\x7fELF\x02\x01\x01')],
    ['a BigTIFF', text('II+\0\x08\0\0\0')],
    ['zeros', Buffer.alloc(5000)],
  ])('%s', (_name, bytes) => {
    expect(sniff(bytes)).toBeUndefined();
  });

  it('is said with what is', () => {
    expect(describeSupported()).toMatch(
      /^Supported are images \(JPEG, PNG.*videos \(MP4.*sound \(MP3.*\)\.$/,
    );
    expect(describeSupported()).not.toMatch(/SVG|undefined/);
  });
});

describe.skipIf(!existsSync(SAMPLES))('sample files', () => {
  const beginning = async (path: string): Promise<Uint8Array> => {
    await using file = await open(join(SAMPLES, path));
    const { buffer, bytesRead } = await file.read(Buffer.alloc(SNIFF_BYTES), 0, SNIFF_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  };
  const BY_NAME: Record<string, string> = {
    jpg: 'image/jpeg',
    png: 'image/png',
    gif: 'image/gif',
    webp: 'image/webp',
    heic: 'image/heic',
    mkv: 'video/x-matroska',
    mov: 'video/quicktime',
    mp4: 'video/mp4',
    ts: 'video/mp2t',
    avi: 'video/x-msvideo',
    webm: 'video/webm',
  };

  it.each(['photos', 'images', 'clips'])('%s are what their names say', async (folder) => {
    for (const name of readdirSync(join(SAMPLES, folder))) {
      expect(type(await beginning(join(folder, name))), name).toBe(BY_NAME[name.split('.').at(-1)!]);
    }
  });

  it('playlists that are called mp4 are nothing', async () => {
    for (const name of ['ffconcat_rel.mp4', 'hls_file_abs.mp4', 'hls_http.mp4']) {
      expect(type(await beginning(join('hostile', name)))).toBeUndefined();
    }
  });
});
