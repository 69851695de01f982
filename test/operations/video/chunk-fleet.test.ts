// Chunks that all machines of a fleet make: where they are cut, and that it does not depend on who plans them.

import { describe, expect, it } from 'vitest';
import { fleetChunks } from '../../../src/operations/video/chunk-fleet.ts';
import { agreeOnChunks } from '../../../src/operations/video/chunk-plan.ts';
import { planBatches } from '../../../src/operations/video/chunk-runs.ts';
import { batchOf, chunkTaskSchema, findingsFor } from '../../../src/operations/video/chunk-task.ts';
import type { ChunkTask } from '../../../src/operations/video/chunk-task.ts';
import { analysisKey, findingsOf } from '../../../src/operations/video/analysis.ts';
import { analysesOf, planOutputs, videoOutputSchema } from '../../../src/operations/video.ts';
import type { VideoOutput } from '../../../src/operations/video.ts';
import type { Source } from '../../../src/operations/video-operation.ts';
import { probeOf, sourceOf } from './sources.ts';

const source = (cores: number, rest: Partial<Source> = {}): Source =>
  sourceOf(probeOf({}), { mayChunk: true, sharesChunks: true, cores, ...rest });
const output = (params: object): VideoOutput => videoOutputSchema.parse({ type: 'transcode', ...params });

describe('the cut', () => {
  it.each([
    ['libvpx-vp9', 19, null],
    ['libvpx-vp9', 20, { count: 2, framesEach: 300 }],
    ['libsvtav1', 64, { count: 6, framesEach: 320 }],
    ['libx265', 59, null],
    ['libx265', 61, { count: 6, framesEach: 305 }],
    ['libx264', 299, null],
    ['libx264', 300, { count: 30, framesEach: 300 }],
    // A film has longer chunks, not more of them.
    ['libvpx-vp9', 14_400, { count: 400, framesEach: 1080 }],
    ['libmp3lame', 300, null],
    ['toString', 300, null],
  ])('of %s at %d s', (encoder, durationSeconds, chunks) => {
    const cut = fleetChunks({ encoder, durationSeconds, fps: 30, cores: 4 });
    expect(cut && { count: cut.count, framesEach: cut.framesEach }).toEqual(chunks);
    expect(cut === null || cut.count * cut.framesEach >= durationSeconds * 30).toBe(true);
  });

  it('leaves a machine alone as many at once as it has cores, to eight', () => {
    const parallel = (cores: number): number | undefined =>
      fleetChunks({ encoder: 'libvpx-vp9', durationSeconds: 600, fps: 30, cores })?.parallel;
    expect([1, 2, 6, 64].map(parallel)).toEqual([1, 2, 6, 8]);
  });

  it.each([
    [{ format: 'webm' }, ['-threads:v:0', '1']],
    [{ codec: 'av1' }, ['-svtav1-params:v:0', 'lp=1']],
    [{ codec: 'hevc' }, ['-x265-params:v:0', 'log-level=error:pools=1:frame-threads=1']],
  ])('of %j is the same on every machine, with one thread for each encoder', (params, options) => {
    const runs = [2, 64].map((cores) => {
      const parts = planOutputs({ video: output(params) }, source(cores));
      return JSON.stringify(planBatches(parts, source(cores))[0]?.chunkRun(1, 1800));
    });
    expect(runs[0]).toBe(runs[1]);
    const run = JSON.parse(runs[0] ?? '') as { outputs: { options: string[] }[] };
    const [, value] = options;
    const given = run.outputs[0]?.options ?? [];
    expect(given[given.indexOf(options[0] ?? '') + 1]).toBe(value);
  });

  it('stays beside an output that is encoded whole: other machines make it', () => {
    const parts = planOutputs({ film: output({ format: 'webm' }), clip: output({ height: 240 }) }, source(2));
    expect(agreeOnChunks(parts, source(2))['film']?.chunks).toBeDefined();
    expect(agreeOnChunks(parts)['film']?.chunks).toBeUndefined();
  });
});

describe('a task', () => {
  const outputs = {
    video: output({ format: 'webm', quality: 'high' }),
    small: output({ format: 'webm', height: 240 }),
  };
  const here = source(4);
  const [question] = analysesOf(outputs.video, here).filter(({ kind }) => kind === 'quality');
  const found = { crf: 37, measure: 'ssim', reached: 0.97, tries: 3 };
  const all = new Map<string, unknown>([
    [analysisKey(question as NonNullable<typeof question>), found],
    [JSON.stringify({ kind: 'loudness', audio: 1 }), null],
  ]);
  const findings = findingsOf(all);
  const [batch] = planBatches(planOutputs(outputs, { ...here, findings }), here);
  const task: ChunkTask = {
    outputs: ['video', 'small'],
    mayCopy: true,
    frames: 1800,
    index: 2,
    names: [`${'a'.repeat(24)}-2-0.mp4`, `${'a'.repeat(24)}-2-1.mp4`],
    findings: findingsFor(findings),
  };

  it('carries what was found out that pictures depend on, and nothing else', () => {
    expect(task.findings).toEqual([
      { kind: 'quality', key: expect.stringMatching(/^[0-9a-f]{64}$/), value: found },
    ]);
    expect(JSON.stringify(batch?.chunkRun(2, 1800))).toContain('"-crf:v:0","37"');
  });

  it('comes to the very same run on a machine that has found out nothing itself', () => {
    const there = batchOf(chunkTaskSchema.parse(JSON.parse(JSON.stringify(task))), outputs, source(1));
    expect(JSON.stringify(there?.chunkRun(2, 1800))).toBe(JSON.stringify(batch?.chunkRun(2, 1800)));
  });

  it('that names what the job has not, comes to nothing', () => {
    expect(batchOf({ ...task, outputs: ['video', 'another'] }, outputs, source(1))).toBeNull();
    expect(batchOf({ ...task, outputs: ['video', 'toString'] }, outputs, source(1))).toBeNull();
    expect(batchOf({ ...task, names: task.names.slice(1) }, outputs, source(1))).toBeNull();
  });

  it.each([
    ['another field', { graph: '[0:v]null' }],
    ['a name that leaves the shelf', { names: ['../../secret.mp4'] }],
    ['a chunk before the first', { index: -1 }],
    [
      'a CRF that is none',
      { findings: [{ kind: 'quality', key: 'a'.repeat(64), value: { ...found, crf: 99 } }] },
    ],
    ['an option in the place of a number', { frames: '-y' }],
  ])('with %s is refused', (_, change) => {
    expect(chunkTaskSchema.safeParse({ ...task, ...change }).success).toBe(false);
  });
});
