// The stand-ins for FFmpeg that tests find first: they tell what the real ones tell, and are them in all else.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withAnsweringFfmpeg } from './answering-ffmpeg.ts';

const PATH = process.env['PATH'] ?? '';

const said = (tool: string, args: readonly string[], path: string): string =>
  execFileSync('/usr/bin/env', [tool, ...args], { env: { PATH: path }, encoding: 'utf8', stdio: 'pipe' });

it.each([
  ['ffmpeg', ['-version']],
  ['ffmpeg', ['-hide_banner', '-encoders']],
  ['ffmpeg', ['-hide_banner', '-filters']],
  ['ffprobe', ['-version']],
  ['ffmpeg', ['-hide_banner', '-pix_fmts']],
])('%s says to %j what the real one says', (tool, args) => {
  const [first = '', ...others] = PATH.split(delimiter);
  expect(first).toContain('.cache/ffmpeg');
  const real = said(tool, args, others.join(delimiter));
  expect(real).toMatch(/^.*\n/);
  expect(said(tool, args, PATH)).toBe(real);
});

describe('a stand-in', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "mediamill-it's-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Programs that note each call; a PATH with them. */
  function install(version: string): string {
    for (const tool of ['ffmpeg', 'ffprobe']) {
      const lines = ['#!/bin/sh', `echo "$*" >> "$(dirname "$0")/calls"`, `echo "${tool} ${version}: $*"`];
      writeFileSync(join(folder, tool), `${lines.join('\n')}\n`, { mode: 0o755 });
    }
    return [folder, PATH.split(delimiter).slice(1).join(delimiter)].join(delimiter);
  }
  const cache = (): string => join(folder, 'cache');
  const calls = (): string[] => readFileSync(join(folder, 'calls'), 'utf8').split('\n').slice(0, -1);

  it('answers what is asked at a start without the real one, and is it for all else', () => {
    const path = withAnsweringFfmpeg(install('1'), cache());
    expect(calls().toSorted()).toEqual([
      '-hide_banner -encoders',
      '-hide_banner -filters',
      '-version',
      '-version',
    ]);
    expect(said('ffprobe', ['-version'], path)).toBe('ffprobe 1: -version\n');
    expect(said('ffmpeg', ['-hide_banner', '-filters'], path)).toBe('ffmpeg 1: -hide_banner -filters\n');
    expect(calls()).toHaveLength(4);
    // The same words in other arguments.
    expect(said('ffmpeg', ['-hide_banner -filters'], path)).toBe('ffmpeg 1: -hide_banner -filters\n');
    expect(said('ffmpeg', ["it's", '-version'], path)).toBe("ffmpeg 1: it's -version\n");
    expect(calls()).toHaveLength(6);
  });

  it('is made once, and anew for another FFmpeg', () => {
    const path = withAnsweringFfmpeg(install('1'), cache());
    expect(withAnsweringFfmpeg(path, cache())).toBe(path);
    expect(withAnsweringFfmpeg([folder, PATH].join(delimiter), cache()).split(delimiter)[0]).toBe(
      path.split(delimiter)[0],
    );
    expect(calls()).toHaveLength(4);
    const newer = withAnsweringFfmpeg(install('2.0'), cache());
    expect(said('ffmpeg', ['-version'], newer)).toBe('ffmpeg 2.0: -version\n');
  });

  it('is left out where there is no FFmpeg, or one that does not answer', () => {
    expect(withAnsweringFfmpeg(folder, cache())).toBe(folder);
    install('1');
    writeFileSync(join(folder, 'ffmpeg'), '#!/bin/sh\nexit 3\n', { mode: 0o755 });
    expect(withAnsweringFfmpeg(folder, cache())).toBe(folder);
  });
});
