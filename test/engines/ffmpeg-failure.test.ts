import { describe, expect, it } from 'vitest';
import type { ChildEnd } from '../../src/engines/child.ts';
import { damageIn, failureOf } from '../../src/engines/ffmpeg-failure.ts';
import { FfmpegLog } from '../../src/engines/ffmpeg-log.ts';

function logOf(text: string): FfmpegLog {
  const log = new FfmpegLog();
  log.feed(text);
  log.end();
  return log;
}

const good: ChildEnd = { code: 0, signal: null, stopped: null, stdout: '' };
const context = { timeoutSeconds: 60, hide: ['0.mp4'] };
const judge = (end: Partial<ChildEnd>, log = '') => failureOf({ ...good, ...end }, logOf(log), context);

describe('the end of a run', () => {
  it('is no failure at code 0', () => {
    expect(judge({}, '[error] no frame!\n')).toBeNull();
  });

  it.each([
    ['our clock', { code: 255, stopped: 'timeout' }, '', 'encode_timeout'],
    ['SIGKILL from outside', { code: null, signal: 'SIGKILL' }, '', 'encoder_killed'],
    ['SIGTERM from outside, caught by FFmpeg', { code: 255 }, '[warning] hm\n', 'encoder_killed'],
    ['a crash', { code: null, signal: 'SIGSEGV' }, '', 'encode_failed'],
    ['a file too large', { code: null, signal: 'SIGXFSZ' }, '', 'encode_failed'],
    [
      'a full disk',
      { code: 1 },
      '[error] av_interleaved_write_frame(): No space left on device\n',
      'storage_full',
    ],
    [
      'a broken source',
      { code: 1 },
      '[error] x: Invalid data found when processing input\n',
      'video_unreadable',
    ],
    ['a wrong option', { code: 1 }, '[fatal] Unrecognized option\n', 'encode_failed'],
    ['no reason at all', { code: 69 }, '', 'encode_failed'],
  ] as const)('by %s', (_, end, log, code) => {
    expect(judge(end, log)?.code).toBe(code);
  });

  it('comes with the reason, and without paths and our names', () => {
    const detail = judge({ code: 1 }, '[mp4 @ 0x5] [error] file:/srv/scratch/0.mp4 is bad: 0.mp4\n')?.message;
    expect(detail).toBe('FFmpeg could not make the outputs: the file is bad: the file.');
  });
});

describe('damage', () => {
  it('is what was complained of in a run that ended well', () => {
    expect(damageIn(logOf('[mov @ 0x5] [error] stream 1, offset 0x41050: partial file\n'), [])).toMatch(
      /partial file/,
    );
  });

  it('is found between any number of warnings', () => {
    const warnings = '[warning] hm\n'.repeat(100);
    const harmless = '[error] Application provided invalid, non monotonically increasing dts to muxer\n';
    const damaged = `${warnings}${harmless.repeat(100)}${'[h264 @ 0x5] [error] no frame!\n'.repeat(500)}${warnings}`;
    expect(damageIn(logOf(damaged), [])).toContain('no frame!');
    expect(damageIn(logOf(`${warnings}${harmless.repeat(100)}${warnings}`), [])).toBeNull();
  });

  it('is not a warning, nor a muxer that is fussy', () => {
    expect(damageIn(logOf('[warning] deprecated pixel format\n'), [])).toBeNull();
    expect(
      damageIn(
        logOf('[error] Application provided invalid, non monotonically increasing dts to muxer\n'),
        [],
      ),
    ).toBeNull();
  });
});
