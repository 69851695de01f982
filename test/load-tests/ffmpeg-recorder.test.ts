// The stand-in for FFmpeg: notes every argument as it is, and becomes the program.

import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onlyCall, rebase, recordFFmpeg, timed } from '../../load-tests/ffmpeg-recorder.ts';

const signal = new AbortController().signal;
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-test-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the recorder', () => {
  it('keeps the arguments of encodes, in order, once', async () => {
    const echo = join(folder, 'echo');
    await writeFile(echo, '#!/bin/sh\nprintf "%s|" "$@"\n');
    await chmod(echo, 0o755);
    const recorder = await recordFFmpeg(folder, echo);
    const call = (...args: string[]) => promisify(execFile)(recorder.path, args);
    await call('-hide_banner', '-encoders');
    const odd = ['-i', 'a b', '', '$HOME `x` "\'', 'one\ntwo', '%s\\n', 'out.mp4'];
    const { stdout } = await call(...odd);
    expect(stdout).toBe(`${odd.join('|')}|`);
    await call('-i', 'x', '-f', 'null', '-');
    expect(await recorder.take()).toEqual([odd]);
    expect(await recorder.take()).toEqual([]);
  });

  it('wants exactly one', () => {
    expect(onlyCall([['-i']], 'it')).toEqual(['-i']);
    expect(() => onlyCall([], 'it')).toThrow('it took 0 FFmpeg calls where one was expected');
    expect(() => onlyCall([['a'], ['b']], 'it')).toThrow('2 FFmpeg calls');
  });
});

it('a call is given another source and other places for its results, and else nothing', () => {
  const call = [
    '-y',
    '-i',
    'file:/data/sources/7',
    '-vf',
    'scale=-2:720',
    'file:/data/scratch/9/video.mp4',
    '/data/x/p.jpg',
  ];
  expect(rebase(call, '/data', { source: '/m/clip.mp4', folder: '/tmp/bare' })).toEqual([
    ...['-y', '-i', 'file:/m/clip.mp4', '-vf', 'scale=-2:720', 'file:/tmp/bare/video.mp4', '/tmp/bare/p.jpg'],
  ]);
});

describe('a timed program', () => {
  it('may report on any descriptor that the server gives FFmpeg', async () => {
    const seconds = await timed('/bin/sh', ['-c', 'sleep 0.05; echo progress >&3; echo more'], signal);
    expect(seconds).toBeGreaterThan(0.05);
    expect(seconds).toBeLessThan(10);
  });

  it('must end well', async () => {
    await expect(timed('/bin/sh', ['-c', 'echo no such encoder >&2; exit 7'], signal)).rejects.toThrow(
      'sh ended with 7: no such encoder',
    );
    await expect(timed('/nowhere/at-all', [], signal)).rejects.toThrow('ENOENT');
  });
});
