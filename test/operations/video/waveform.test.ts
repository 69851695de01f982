import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawWave, peaksJson, readPeaks } from '../../../src/engines/finish/waveform.ts';
import { planRuns } from '../../../src/operations/video/plan.ts';
import { waveform } from '../../../src/operations/video/waveform.ts';
import { probeOf, sourceOf } from './sources.ts';

const parse = (asked: object) => waveform.params.parse({ type: 'waveform', ...asked });

describe('a waveform', () => {
  it('is made of raw samples, which nobody is told of', () => {
    const part = waveform.plan(parse({}), sourceOf());
    const [run] = planRuns({ out: part }, sourceOf()).runs;
    const options = run?.outputs[0]?.options.join(' ') ?? '';
    expect(options).toContain('-map 0:1');
    expect(options).toContain('aresample=rematrix_maxval=1,aformat=channel_layouts=mono');
    expect(options).toContain('-c:a:0 pcm_s16le -ac:a:0 1 -ar:a:0 16000');
    expect(options.endsWith('-f s16le')).toBe(true);
    expect(part.pieces[0]?.expects).toMatchObject({ kind: 'data', durationSeconds: 60 });
    expect(part.finish).toMatchObject({ type: 'waveform', sampleRate: 16_000, wanted: { peaks: 800 } });
  });

  it('needs sound', () => {
    expect(() => waveform.plan(parse({}), sourceOf(probeOf({}, null)))).toThrow(
      expect.objectContaining({ code: 'stream_missing' }),
    );
  });

  it.each([
    [{ peaks: 9 }, 'peaks'],
    [{ peaks: 100, peaksPerSecond: 5 }, 'peaksPerSecond'],
    [{ width: 8 }, 'width'],
    [{ height: 2000 }, 'height'],
    [{ colour: 'ultramarine' }, 'colour'],
    [{ background: '#12345' }, 'background'],
  ])('of %j is refused at %s', (asked, field) => {
    const result = waveform.params.safeParse({ type: 'waveform', ...asked });
    expect(result.error?.issues.map(({ path }) => path[0])).toContain(field);
  });
});

describe('peaks', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mediamill-peaks-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('are the lowest and highest of each stretch, the last one shorter', async () => {
    const samples = Int16Array.of(0, 5, -7, 100, -32_768, 32_767, 1);
    const path = join(folder, 'few.raw');
    await writeFile(path, new Uint8Array(samples.buffer));
    const [three, one] = await readPeaks(path, samples.length, [3, 1], new AbortController().signal);
    expect([[...three.low], [...three.high]]).toEqual([
      [-7, -32_768, 1],
      [5, 32_767, 1],
    ]);
    expect([...one.low]).toEqual([...samples]);
  });

  it('of a long file are the same wherever the reads fall', async () => {
    const samples = Int16Array.from({ length: 700_001 }, (_, index) => ((index * 7919) % 65_536) - 32_768);
    const path = join(folder, 'long.raw');
    await writeFile(path, new Uint8Array(samples.buffer));
    const [{ low, high }] = await readPeaks(
      path,
      samples.length,
      [999, 50_000],
      new AbortController().signal,
    );
    for (const [place, lowest] of low.entries()) {
      const stretch = samples.subarray(place * 999, (place + 1) * 999);
      expect([lowest, high[place]]).toEqual([Math.min(...stretch), Math.max(...stretch)]);
    }
    expect(low).toHaveLength(Math.ceil(700_001 / 999));
  });

  it('are told as audiowaveform tells them', () => {
    const peaks = { low: Int16Array.of(-32_768, -256, 0), high: Int16Array.of(32_767, 255, 0) };
    expect(JSON.parse(peaksJson(peaks, 16_000, 512))).toEqual({
      version: 2,
      channels: 1,
      sample_rate: 16_000,
      samples_per_pixel: 512,
      bits: 8,
      length: 3,
      data: [-128, 127, -1, 0, 0, 0],
    });
  });
});

describe('the drawing', () => {
  const image = { width: 4, height: 20, colour: 'ff0000', background: '00000000' };
  const columns = async (png: Buffer): Promise<string[]> => {
    const { data, info } = await sharp(png).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
    return Array.from({ length: info.width }, (_, x) =>
      Array.from({ length: info.height }, (__, y) =>
        (data[4 * (y * info.width + x) + 3] ?? 0) > 127 ? '#' : '.',
      ).join(''),
    );
  };

  it('reaches as high as the sound is loud, and is a line for silence', async () => {
    const peaks = {
      low: Int16Array.of(-32_768, 0, -16_384, 0),
      high: Int16Array.of(32_767, 0, 16_384, 32_767),
    };
    expect(await columns(drawWave(peaks, image))).toEqual([
      '####################',
      '..........#.........',
      '.....##########.....',
      '##########..........',
    ]);
  });

  it('spreads few peaks, and gathers many', async () => {
    const few = { low: Int16Array.of(-32_768, 0), high: Int16Array.of(32_767, 0) };
    expect((await columns(drawWave(few, image))).map((column) => column.includes('.'))).toEqual([
      false,
      false,
      true,
      true,
    ]);
    const many = { low: new Int16Array(400), high: new Int16Array(400) };
    many.high[250] = 32_767;
    expect((await columns(drawWave(many, image))).map((column) => column.startsWith('#'))).toEqual([
      false,
      false,
      true,
      false,
    ]);
  });

  it('has the colours that were asked for', async () => {
    const peaks = { low: Int16Array.of(-16_384), high: Int16Array.of(16_384) };
    const png = drawWave(peaks, { ...image, colour: '00ff0080', background: '0000ff' });
    const { data } = await sharp(png).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
    expect([...data.subarray(0, 4)]).toEqual([0, 0, 255, 255]);
    expect([...data.subarray(4 * 4 * 10, 4 * 4 * 10 + 4)]).toEqual([0, 255, 0, 128]);
  });
});
