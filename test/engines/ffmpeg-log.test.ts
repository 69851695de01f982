import { describe, expect, it } from 'vitest';
import { FfmpegLog } from '../../src/engines/ffmpeg-log.ts';

function logOf(...chunks: string[]): FfmpegLog {
  const log = new FfmpegLog();
  for (const chunk of chunks) log.feed(chunk);
  log.end();
  return log;
}

describe('the log', () => {
  it('puts lines together from chunks, and keeps those that begin with a bracket', () => {
    const log = logOf('[mov,mp4 @ 0x55ae] [err', 'or] moov atom ', 'not found\n[warning] hm\n[fatal] end');
    expect(log.lines).toEqual([
      { level: 'error', text: 'moov atom not found' },
      { level: 'warning', text: 'hm' },
      { level: 'fatal', text: 'end' },
    ]);
    expect(log.errors).toBe(2);
  });

  it('reads lines of nested contexts', () => {
    expect(logOf('[h264 @ 0x1] [IMGUTILS @ 0x2] [error] Picture size 9x9 is invalid\n').lines).toEqual([
      { level: 'error', text: 'Picture size 9x9 is invalid' },
    ]);
  });

  it('gives the first reasons, each once, without paths, names of ours, or warnings', () => {
    const log = logOf(
      '[warning] deprecated\n',
      '[h264 @ 0x55ae103672c0] [error] no frame!\n[h264 @ 0x55ae103672c0] [error] no frame!\n',
      '[error] file:/srv/data/sources/abc: Invalid data found when processing input\n',
      '[error] cannot write 0.mp4\n',
      'Conversion failed!\n',
    );
    expect(log.reason(['0.mp4'])).toBe(
      'no frame!; Invalid data found when processing input; cannot write the file',
    );
  });

  it('leaves out how SVT-AV1 introduces itself, so that there is room for what matters', () => {
    const log = logOf('Svt[info]: preset 8\n'.repeat(100), 'Svt[error]: no memory\n', '[error] late\n');
    expect(log.lines.map(({ text }) => text)).toEqual(['Svt[error]: no memory', 'late']);
  });

  it('takes lines without a level where there is nothing better', () => {
    expect(logOf('setpriv: failed to execute\n').reason()).toBe('setpriv: failed to execute');
    expect(logOf('').reason()).toBe('');
  });

  it('stays small however much is said, and counts on', () => {
    const log = new FfmpegLog();
    for (let line = 0; line < 100_000; line++) log.feed(`[error] fault ${line}\n`);
    log.feed('x'.repeat(10_000_000));
    log.end();
    expect(log.errors).toBe(100_000);
    expect(log.lines.length).toBeLessThan(50);
    expect(log.lines[0]?.text).toBe('fault 0');
    expect(log.lines.some(({ text }) => text === 'fault 99999')).toBe(true);
    expect(Math.max(...log.lines.map(({ text }) => text.length))).toBeLessThan(3000);
  });
});
