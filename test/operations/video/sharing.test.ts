import { describe, expect, it } from 'vitest';
import { planOutput, videoOutputSchema } from '../../../src/operations/video.ts';
import { planRuns } from '../../../src/operations/video/plan.ts';
import { probeOf, sourceOf } from './sources.ts';

const source = sourceOf(probeOf({ codec: 'hevc' }));

function plan(outputs: Record<string, unknown>) {
  const parts = Object.entries(outputs).map(
    ([name, output]) => [name, planOutput(videoOutputSchema.parse(output), source)] as const,
  );
  return planRuns(Object.fromEntries(parts), source);
}

const sound = {
  sound: { type: 'audio', format: 'mp3' },
  copy: { type: 'audio' },
  wave: { type: 'waveform' },
};

describe('a job of many kinds', () => {
  it('is one run, in which the picture is decoded once', () => {
    const { runs, stills, preparations, decisions } = plan({
      video: { type: 'transcode', height: 480 },
      board: { type: 'storyboard' },
      thumb: { type: 'thumbnail' },
      thumbs: { type: 'thumbnail', count: 3 },
      about: { type: 'probe' },
      ...sound,
    });
    expect([runs.length, stills.length, preparations.length]).toEqual([1, 0, 0]);
    expect(runs[0]?.inputs).toHaveLength(1);
    expect(runs[0]?.graph?.match(/\[0:0\]/g)).toHaveLength(1);
    expect(runs[0]?.outputs.map(({ name }) => name).toSorted()).toEqual(
      ['video', 'board', 'thumb', 'thumbs', 'thumbs', 'thumbs', 'sound', 'copy', 'wave'].toSorted(),
    );
    for (const name of ['video', 'board', 'thumb', 'thumbs']) {
      expect(decisions[name]?.join(), name).toMatch(/decoded once, together with/);
    }
  });

  it('tells what frames an output is scaled from where it is one picture, and of a ladder nothing', () => {
    const { decisions } = plan({
      video: { type: 'transcode', height: 480 },
      small: { type: 'transcode', height: 240 },
      ladder: { type: 'hls', heights: [720, 360] },
    });
    expect(decisions['small']?.join()).toContain('scaled from the frames of');
    expect(decisions['ladder']?.join()).toContain('decoded once, together with "video", "small"');
    expect(decisions['ladder']?.join()).not.toContain('scaled from');
  });

  it('cuts subtitles out of all of the source, whatever else is cut', () => {
    const subtitled = sourceOf({
      ...probeOf({ codec: 'hevc' }),
      subtitles: [
        { index: 2, codec: 'subrip', language: 'en' },
        { index: 3, codec: 'ass', language: 'de' },
      ],
    });
    const part = planOutput(
      videoOutputSchema.parse({ type: 'transcode', subtitles: 'keep', start: 5, end: 9 }),
      subtitled,
    );
    const { runs } = planRuns({ out: part }, subtitled);
    expect(runs.map(({ inputs, outputs }) => [inputs[0]?.seek, inputs[0]?.seconds, outputs.length])).toEqual([
      [5, 4, 1],
      [0, null, 2],
    ]);
    expect(runs[1]?.outputs.map(({ piece }) => piece.cut)).toEqual([
      { start: 5, end: 9 },
      { start: 5, end: 9 },
    ]);
  });

  it('of sound alone is one run without a picture', () => {
    const { runs, stills } = plan(sound);
    expect([runs.length, stills.length]).toEqual([1, 0]);
    expect(runs[0]).toMatchObject({ graph: null, expectedSeconds: 60 });
  });

  it('does not make a preview decode what lies between its moments', () => {
    const { runs } = plan({ video: { type: 'transcode', height: 480 }, loop: { type: 'preview' } });
    expect(runs.map(({ inputs }) => inputs.map(({ seconds }) => seconds))).toEqual([[null], [1, 1, 1, 1, 1]]);
  });
});
