import { describe, expect, it } from 'vitest';
import { guarded, hardLimits, NO_GUARDS } from '../../src/engines/child-guard.ts';

const command = { program: '/usr/bin/ffmpeg', args: ['-i', 'file:/x'] };
const limits = { cpuSeconds: 100, memoryBytes: 4096, fileBytes: 1000.4, openFiles: 64 };

describe('a guarded command', () => {
  it('dies with its parent, has bounds and gives way', () => {
    const { program, args } = guarded(command, { setpriv: true, prlimit: true, nice: true }, limits);
    expect([program, ...args].join(' ')).toBe(
      'setpriv --pdeathsig KILL --no-new-privs -- ' +
        'prlimit --cpu=100 --as=4096 --fsize=1001 --nofile=64 --core=0 -- ' +
        'nice -n 19 /usr/bin/ffmpeg -i file:/x',
    );
  });

  it('is itself where there are no tools', () => {
    expect(guarded(command, NO_GUARDS, limits)).toEqual(command);
  });

  it('is nice where only that can be had, as on macOS', () => {
    expect(guarded(command, { ...NO_GUARDS, nice: true }, limits)).toEqual({
      program: 'nice',
      args: ['-n', '19', '/usr/bin/ffmpeg', '-i', 'file:/x'],
    });
  });

  it('asks for no more than it may have', () => {
    const { args } = guarded(command, { ...NO_GUARDS, prlimit: true }, limits, { fileBytes: 500 });
    expect(args).toContain('--fsize=500');
    expect(args).toContain('--as=4096');
  });
});

describe('hard limits', () => {
  it('are read from what Linux says', () => {
    const text = [
      'Limit                     Soft Limit           Hard Limit           Units     ',
      'Max cpu time              unlimited            unlimited            seconds   ',
      'Max file size             1000                 2000                 bytes     ',
      'Max open files            1024                 524288               files     ',
      'Max address space         unlimited            8589934592           bytes     ',
    ].join('\n');
    expect(hardLimits(text)).toEqual({ fileBytes: 2000, openFiles: 524_288, memoryBytes: 8_589_934_592 });
  });

  it('are none where nothing is said', () => {
    expect(hardLimits('')).toEqual({});
  });
});
