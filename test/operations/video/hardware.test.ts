// Arguments only: no machine of ours has such hardware.

import { describe, expect, it } from 'vitest';
import { pictureOptions } from '../../../src/operations/video/encoders.ts';
import type { PictureCodec } from '../../../src/operations/video/encoders.ts';
import { chooseHardware } from '../../../src/operations/video/hardware.ts';
import type { Hardware } from '../../../src/operations/video/hardware.ts';
import { planRuns } from '../../../src/operations/video/plan.ts';
import { transcode } from '../../../src/operations/video/transcode.ts';
import { probeOf, sourceOf } from './sources.ts';

const written = (options: Readonly<Record<string, string>>): string =>
  Object.entries(options)
    .map(([name, value]) => `-${name} ${value}`)
    .join(' ');
const ask = (hardware: Hardware, codec: PictureCodec, more: object = {}) =>
  pictureOptions({ codec, hardware, effort: 'balanced', ...more });

describe('arguments for hardware (which none of our machines has)', () => {
  it.each([
    ['vaapi', 'h264', {}, '-c h264_vaapi -rc_mode CQP -qp 23 -profile high'],
    ['vaapi', 'hevc', {}, '-c hevc_vaapi -rc_mode CQP -qp 26 -profile main -tag hvc1'],
    ['vaapi', 'av1', {}, '-c av1_vaapi -rc_mode CQP -global_quality 132'],
    [
      'vaapi',
      'h264',
      { maxBitrate: 1000 },
      '-c h264_vaapi -rc_mode VBR -b 750k -maxrate 1000k -bufsize 2000k -profile high',
    ],
    ['nvenc', 'h264', {}, '-c h264_nvenc -preset p4 -rc vbr -cq 23 -b 0 -profile high -pix_fmt yuv420p'],
    [
      'nvenc',
      'hevc',
      { effort: 'fast', crf: 30 },
      '-c hevc_nvenc -preset p2 -rc vbr -cq 30 -b 0 -profile main -tag hvc1 -pix_fmt yuv420p',
    ],
    [
      'nvenc',
      'av1',
      { maxBitrate: 800 },
      '-c av1_nvenc -preset p4 -rc vbr -cq 33 -b 0 -maxrate 800k -bufsize 1600k -pix_fmt yuv420p',
    ],
    [
      'qsv',
      'h264',
      { effort: 'small' },
      '-c h264_qsv -preset slow -global_quality 23 -profile high -pix_fmt nv12',
    ],
    [
      'qsv',
      'hevc',
      {},
      '-c hevc_qsv -preset medium -global_quality 26 -profile main -tag hvc1 -pix_fmt nv12',
    ],
    ['videotoolbox', 'h264', {}, '-c h264_videotoolbox -q 75 -profile high -pix_fmt yuv420p'],
    [
      'videotoolbox',
      'hevc',
      { quality: 40 },
      '-c hevc_videotoolbox -q 40 -profile main -tag hvc1 -pix_fmt yuv420p',
    ],
    // The quality whose CRF is 30.
    ['videotoolbox', 'h264', { crf: 30 }, '-c h264_videotoolbox -q 54 -profile high -pix_fmt yuv420p'],
  ] as const)('%s for %s with %j', (hardware, codec, more, expected) => {
    expect(written(ask(hardware, codec, more).options)).toBe(expected);
  });

  it.each([
    ['vaapi', 'h264', '-g 48 -idr_interval 0'],
    ['nvenc', 'h264', '-g 48 -no-scenecut 1 -forced-idr 1 -strict_gop 1'],
    ['qsv', 'h264', '-g 48 -flags +cgop -idr_interval 0'],
    ['qsv', 'hevc', '-g 48 -flags +cgop -idr_interval 1'],
    ['videotoolbox', 'hevc', '-g 48 -flags +cgop'],
  ] as const)('%s closes groups of %s', (hardware, codec, expected) => {
    expect(written(ask(hardware, codec, { gop: { frames: 48 } }).options)).toContain(expected);
  });

  it('VAAPI gets its device for the whole command, and its frames by an upload after all else', () => {
    const source = sourceOf(probeOf(), { hardware: new Set(['h264_vaapi']) });
    const asked = transcode.params.parse({ type: 'transcode', height: 720, hardware: 'vaapi' });
    const part = transcode.plan(asked, source);
    const [run] = planRuns({ video: part }, source).runs;
    expect(run?.global).toEqual(['-vaapi_device', '/dev/dri/renderD128']);
    expect(run?.graph).toBe('[0:0]scale=1280:720,setsar=1,format=yuv420p,format=nv12,hwupload[v0]');
    expect(run?.outputs[0]?.options.join(' ')).not.toContain('pix_fmt');
    expect(part.encoders).toEqual([]);
    expect(part.decisions).toContain('encoded by hardware: vaapi');
  });
});

describe('the choice of hardware', () => {
  const source = { hardware: new Set(['h264_vaapi', 'hevc_vaapi', 'h264_qsv']) };

  it('is software unless it is asked for', () => {
    expect(chooseHardware('off', 'h264', source)).toEqual({ hardware: null, decisions: [] });
  });

  it('is any that works, or software with a word about it, for auto', () => {
    expect(chooseHardware('auto', 'h264', source).hardware).toBe('qsv');
    expect(chooseHardware('auto', 'hevc', source).hardware).toBe('vaapi');
    expect(chooseHardware('auto', 'av1', source)).toEqual({
      hardware: null,
      decisions: ['encoded by software: no hardware here encodes AV1'],
    });
  });

  it('is refused where a kind is named that is not there, with what is', () => {
    expect(chooseHardware('vaapi', 'hevc', source).hardware).toBe('vaapi');
    expect(() => chooseHardware('nvenc', 'h264', source)).toThrow(
      expect.objectContaining({ code: 'encoder_missing', message: expect.stringContaining('qsv, vaapi') }),
    );
    expect(() => chooseHardware('qsv', 'vp9', source)).toThrow(/hardware that does: none/);
  });

  it('does not matter to what is copied', () => {
    const part = transcode.plan(transcode.params.parse({ type: 'transcode', hardware: 'nvenc' }), sourceOf());
    expect(part.decisions[0]).toMatch(/^picture copied/);
  });

  it('takes a named quality without a search', () => {
    const able = sourceOf(probeOf(), { hardware: new Set(['h264_nvenc']) });
    const asked = transcode.params.parse({ type: 'transcode', quality: 'high', hardware: 'nvenc' });
    expect(transcode.analyses?.(asked, able)).toEqual([]);
    const [run] = planRuns({ video: transcode.plan(asked, able) }, able).runs;
    expect(run?.outputs[0]?.options.join(' ')).toContain('-cq:v:0 22');
  });
});
