import { expect, it } from 'vitest';
import { planOutput, videoOutputSchema } from '../../../src/operations/video.ts';
import { planRuns } from '../../../src/operations/video/plan.ts';
import { seekFor } from '../../../src/operations/video/seeking.ts';
import { probeOf, sourceOf } from './sources.ts';

const stream = sourceOf(probeOf({ codec: 'mpeg2video' }, {}, { container: 'mpegts' }));

function planned(output: object) {
  const part = planOutput(videoOutputSchema.parse(output), stream);
  const { runs, stills } = planRuns({ out: part }, stream);
  const run = runs[0] ?? stills[0];
  if (run === undefined) throw new Error('no run was planned');
  return run;
}

it.each([
  ['mov,mp4,m4a,3gp,3g2,mj2', 30, 30],
  ['matroska,webm', 30, 30],
  ['mpegts', 30, 20],
  ['mpegts', 4, 0],
  ['mpeg', 12.5, 2.5],
])('in %s a moment at %d s is read from %d s on', (container, at, from) => {
  expect(seekFor({ container }, at)).toBe(from);
});

it('a cut of a stream for broadcast drops what comes before it, picture and sound', () => {
  const run = planned({ type: 'transcode', start: 30, end: 40 });
  expect(run.inputs[0]).toMatchObject({ seek: 20, seconds: 20 });
  expect(run.graph).toMatch(/trim=start=10\.000:end=20\.000,setpts=PTS-10\.000\/TB/);
  expect(run.outputs[0]?.options.join(' ')).toContain('atrim=start=10.000:end=20.000');
});

it('a still of one is looked for from there on; from the beginning, the first frame will do', () => {
  const run = planned({ type: 'thumbnail', at: 30 });
  expect(run.inputs[0]?.seek).toBe(20);
  expect(run.graph).toContain('gte(t\\,10.000)');
  expect(run.fallback?.inputs[0]?.seek).toBe(0);
  expect(run.fallback?.graph).not.toContain('gte');
});

it('each moment of a preview of one begins at its own time', () => {
  const run = planned({ type: 'preview', moments: 2, secondsEach: 1 });
  expect(run.inputs.map(({ seek, seconds }) => [seek, seconds])).toEqual([
    [4.5, 11],
    [34.5, 11],
  ]);
  expect(run.graph?.match(/trim=start=10\.000/g)).toHaveLength(2);
});
