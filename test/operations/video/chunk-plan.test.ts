import { describe, expect, it } from 'vitest';
import { agreeOnChunks, chunksFor, rateOf, withChunks } from '../../../src/operations/video/chunk-plan.ts';
import { framesOf, onlyOutputs, planBatches } from '../../../src/operations/video/chunk-runs.ts';
import { planRuns } from '../../../src/operations/video/plan.ts';
import { planOutput, videoOutputSchema } from '../../../src/operations/video.ts';
import type { MediaProbe, VideoStream } from '../../../src/operations/media-probe.ts';
import type { OutputPart, Source } from '../../../src/operations/video-operation.ts';
import { probeOf, sourceOf } from './sources.ts';

const sd = { width: 854, height: 480 };
const hd = { width: 1280, height: 720 };
const fullHd = { width: 1920, height: 1080 };

describe('whether chunks gain', () => {
  const wish = { fps: 30, durationSeconds: 60 };

  it.each([
    // Measured on two cores: 0.87 and 0.91 of whole.
    ['libvpx-vp9', sd, 2, { count: 6, framesEach: 300, parallel: 2 }],
    ['libvpx-vp9', hd, 2, { count: 6, framesEach: 300, parallel: 2 }],
    ['libvpx-vp9', sd, 1, null],
    ['libvpx-vp9', fullHd, 2, null],
    ['libvpx-vp9', sd, 4, { count: 8, framesEach: 225, parallel: 4 }],
    // Never more at once than memory bears.
    ['libvpx-vp9', sd, 64, { count: 8, framesEach: 225, parallel: 8 }],
    // It threads itself: 1.6 of whole.
    ['libsvtav1', sd, 2, null],
    ['libx264', sd, 2, null],
    ['libx264', sd, 4, null],
    ['libx264', sd, 8, { count: 6, framesEach: 300, parallel: 2 }],
    ['libx264', hd, 8, null],
    ['libx265', sd, 64, null],
    ['toString', sd, 64, null],
  ])('%s at %j on %i cores', (encoder, size, cores, chunks) => {
    expect(chunksFor({ ...wish, encoder, size, cores })).toEqual(chunks);
  });

  it.each([
    [9.9, null],
    [10, { count: 2, framesEach: 150, parallel: 2 }],
    [12, { count: 2, framesEach: 180, parallel: 2 }],
    // Two rounds: where one chunk takes longer, the other core has something to do.
    [20, { count: 4, framesEach: 150, parallel: 2 }],
    [25, { count: 4, framesEach: 188, parallel: 2 }],
    [31, { count: 4, framesEach: 233, parallel: 2 }],
    // A film has longer chunks, not more of them.
    [14_400, { count: 400, framesEach: 1080, parallel: 2 }],
  ])('of %d s', (durationSeconds, chunks) => {
    expect(chunksFor({ encoder: 'libvpx-vp9', size: sd, fps: 30, cores: 2, durationSeconds })).toEqual(
      chunks,
    );
  });

  it('covers every frame, none of its chunks shorter than half', () => {
    for (let frames = 300; frames < 4000; frames += 37) {
      const chunks = chunksFor({
        encoder: 'libvpx-vp9',
        size: sd,
        fps: 30,
        cores: 2 + (frames % 7),
        durationSeconds: frames / 30,
      });
      const { count, framesEach } = chunks ?? { count: 0, framesEach: 0 };
      const each = Array.from({ length: count }, (_, index) => framesOf(index, framesEach, frames));
      expect(each.reduce((sum, one) => sum + one, 0)).toBe(frames);
      expect(Math.min(...each)).toBeGreaterThan(framesEach / 2);
    }
  });
});

describe('the rate', () => {
  it.each([
    [25, 25, [25, 1]],
    [30_000 / 1001, 30_000 / 1001, [30_000, 1001]],
    [24_000 / 1001, 24_000 / 1001, [24_000, 1001]],
    [12.5, 12.5, [12_500, 1000]],
    // The mean may be off a little by the rounding of lengths.
    [29.99, 30, [30, 1]],
    [29.5, 30, null],
    [15, 30, null],
    [null, 30, null],
    [30, null, null],
    [1_000_000 / 33_333, 1_000_000 / 33_333, null],
  ])('of %d frames on a base of %d', (fps, baseFps, fraction) => {
    const rate = rateOf({ fps, baseFps });
    expect(rate === null ? null : [rate.over, rate.under]).toEqual(fraction);
  });
});

type Changes = readonly [Partial<VideoStream>, Partial<MediaProbe>?, Partial<Source>?];

function sourceWith([video, probe, rest]: Changes): Source {
  return sourceOf(probeOf(video, {}, probe), { mayChunk: true, ...rest });
}

const webm = { type: 'transcode', format: 'webm', height: 480 };
const plan = (output: object, source: Source): OutputPart =>
  planOutput(videoOutputSchema.parse(output), source);

describe('an output', () => {
  it('is cut, and says so', () => {
    const part = plan(webm, sourceWith([{}]));
    expect(part.chunks).toEqual({ count: 6, framesEach: 300, parallel: 2 });
    expect(part.decisions.at(-1)).toBe(
      'encoded in 6 chunks of 10 s, 2 at a time: at this size the encoder alone does not fill the cores',
    );
  });

  it('is left as it is where nobody keeps chunks, where nothing is gained, and where there is nothing to encode', () => {
    expect(plan(webm, sourceWith([{}, {}, { mayChunk: false }])).decisions.join()).not.toContain('chunks');
    for (const output of [{ ...webm, format: 'mp4' }, { type: 'transcode' }, { type: 'thumbnail' }]) {
      const part = plan(output, sourceWith([{}]));
      expect(part.chunks).toBeUndefined();
      expect(part.decisions.join()).not.toContain('in one piece');
    }
  });

  it('cut already stays as it is', () => {
    const part = plan(webm, sourceWith([{}]));
    expect(withChunks(part, sourceWith([{}]))).toBe(part);
  });

  it.each<[string, Changes, object?]>([
    ['the frame rate of the source varies', [{ baseFps: 60 }]],
    ['its frames and its length do not agree', [{ frames: 1700 }]],
    ['its frames and its length do not agree', [{ durationSeconds: 55 }]],
    ['the picture does not begin where the file does', [{ startSeconds: 0.5 }]],
    ['the picture does not begin where the file does', [{}, { startSeconds: -1 }]],
    ['mpegts has no index of its frames', [{}, { container: 'mpegts' }]],
    ['only a part of the source is wanted', [{}], { end: 50 }],
    ['its frame rate is changed', [{}], { fps: 10 }],
  ])('in one piece: %s', (why, changes, params = {}) => {
    const part = plan({ ...webm, ...params }, sourceWith(changes));
    expect(part.chunks).toBeUndefined();
    expect(part.decisions).toContain(`encoded in one piece: ${why}`);
  });

  it('whose frames depend on their time is not cut', () => {
    const part = plan(webm, sourceWith([{}, {}, { mayChunk: false }]));
    const [piece] = part.pieces;
    const drawn = (extra: object): OutputPart => ({
      ...part,
      pieces: (piece === undefined ? [] : [piece]).map((one) => ({
        ...one,
        streams: one.streams.map((stream) =>
          stream.kind === 'frames'
            ? { ...stream, take: { ...stream.take, ...extra } as typeof stream.take }
            : stream,
        ),
      })),
    });
    const source = sourceWith([{}]);
    expect(withChunks(drawn({ filters: ['pad=900:480,setsar=1'] }), source).chunks).toBeDefined();
    for (const extra of [
      { filters: ['subtitles=f=words.srt'] },
      { last: ['fade=d=1'] },
      { overlays: [{ from: 3, filters: [], place: '0:0' }] },
      { overlays: [{ from: 'upload:1', filters: [], place: '0:0' }] },
    ]) {
      expect(withChunks(drawn(extra), source).chunks).toBeUndefined();
    }
  });

  it('has no chunks where another one is encoded whole, which it shares its decoding with', () => {
    const source = sourceWith([{}]);
    const parts = { small: plan(webm, source), still: plan({ type: 'thumbnail' }, source) };
    expect(agreeOnChunks(parts)['small']?.chunks).toBeDefined();
    const agreed = agreeOnChunks({ ...parts, other: plan({ type: 'transcode', height: 240 }, source) });
    expect(agreed['small']?.chunks).toBeUndefined();
    expect(agreed['small']?.decisions.join()).not.toMatch(/encoded in \d/);
    expect(agreed['small']?.decisions.at(-1)).toContain('shares its decoding');
  });
});

describe('the runs', () => {
  const source = sourceWith([
    { fps: 30_000 / 1001, baseFps: 30_000 / 1001, frames: 1798, durationSeconds: 1798 * (1001 / 30_000) },
  ]);
  const parts = { small: plan(webm, source), tiny: plan({ ...webm, height: 240 }, source) };
  const [batch, ...others] = planBatches(parts, source);

  it('are none of the common plan', () => {
    expect(planRuns(parts, source)).toMatchObject({ runs: [], stills: [], preparations: [] });
    expect(planRuns(parts, source).decisions['small']?.join()).toContain('chunks');
  });

  it('share a decode for outputs of the same cut', () => {
    expect(others).toEqual([]);
    const run = batch?.chunkRun(1, 1798);
    expect(run?.outputs.map(({ file }) => file)).toEqual(['chunks-0/1.mp4', 'chunks-1/1.mp4']);
    expect(run?.inputs).toEqual([
      { from: 'source', seek: (299.5 * 1001) / 30_000, seconds: null, options: ['-threads', '2'] },
    ]);
    expect(run?.graph).toBe(
      [
        '[0:0]scale=854:480,setsar=1,format=yuv420p,split=2[t0][n0x0]',
        '[t0]setpts=round(T*30000/1001-0.5)*1001/30000/TB,settb=1001/30000[v0]',
        '[n0x0]scale=426:240,setsar=1,setpts=round(T*30000/1001-0.5)*1001/30000/TB,settb=1001/30000[v1]',
      ].join(';'),
    );
    for (const { options } of run?.outputs ?? []) {
      const text = options.join(' ');
      expect(text).toContain('-c:v:0 libvpx-vp9');
      expect(text).toContain('-threads:v:0 1');
      expect(text).toMatch(/-frames:v 300 -f mp4$/);
      expect(text).not.toContain(':a:0');
    }
  });

  it('begin without a seek, and end without a bound', () => {
    expect(batch?.chunkRun(0, 1798)).toMatchObject({ inputs: [{ seek: 0 }] });
    expect(batch?.chunkRun(0, 1798).graph).toContain('setpts=round(T*30000/1001)*');
    expect(batch?.chunkRun(5, 1798).outputs[0]?.options).not.toContain('-frames:v');
  });

  it('may leave outputs out whose frames are made all the same', () => {
    const run = batch?.chunkRun(0, 1798);
    if (run === undefined) throw new Error('there is no run');
    const rest = onlyOutputs(run, ({ name }) => name === 'tiny');
    expect(rest.outputs.map(({ name }) => name)).toEqual(['tiny']);
    expect(rest.graph).toBe(`${run.graph};[v0]nullsink`);
    expect(onlyOutputs(run, () => true)).toBe(run);
  });

  it('encode the sound once, beside the chunks', () => {
    const run = batch?.soundRun(batch.members[0] ?? fail());
    expect(run?.inputs.map(({ from }) => from)).toEqual(['source']);
    expect(run?.outputs.map(({ file }) => file)).toEqual(['chunks-0/sound.webm']);
    const options = run?.outputs[0]?.options.join(' ');
    expect(options).toMatch(/^-map 0:1 /);
    expect(options).toContain('-c:a:0 libopus');
    expect(options).toMatch(/-f webm$/);
  });

  it('join the chunks and the sound', () => {
    const member = batch?.members[0] ?? fail();
    const run = batch?.joinRun(member, { list: 'chunks-0/list.txt', sound: 'chunks-0/sound.webm' });
    expect(run?.inputs.map(({ from }) => from)).toEqual([
      'source',
      'file:chunks-0/list.txt',
      'file:chunks-0/sound.webm',
    ]);
    expect(run?.inputs[1]?.options.join(' ')).toBe(
      '-protocol_whitelist file -format_whitelist concat,mov -f concat -safe 0',
    );
    expect(run?.outputs.map(({ file }) => file)).toEqual(['0/video.webm']);
    const options = run?.outputs[0]?.options.join(' ');
    expect(options).toMatch(/^-map 1:v:0 -map 2:a:0 /);
    expect(options).toContain('-c:v:0 copy -c:a:0 copy');
    expect(options).not.toContain('-filter');
  });

  it('take sound that is copied, or told more of than its encoding, from the source as it joins', () => {
    const member = batch?.members[0] ?? fail();
    for (const options of [{ c: 'copy' }, { c: 'aac', 'metadata:s': 'language=deu' }]) {
      const pieces = member.part.pieces.map((piece) => ({
        ...piece,
        streams: piece.streams.map((stream) => (stream.kind === 'audio' ? { ...stream, options } : stream)),
      }));
      const other = { ...member, part: { ...member.part, pieces } };
      expect(batch?.soundRun(other)).toBeNull();
      const run = batch?.joinRun(other, { list: 'list.txt', sound: null });
      expect(run?.inputs).toHaveLength(2);
      expect(run?.outputs[0]?.options.join(' ')).toMatch(/^-map 1:v:0 -map 0:1 /);
    }
  });
});

function fail(): never {
  throw new Error('there is no batch');
}
