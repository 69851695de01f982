import { describe, expect, it } from 'vitest';
import { describe as tell, probe } from '../../../src/operations/video/probe.ts';
import { planRuns } from '../../../src/operations/video/plan.ts';
import { aac, h264, probeOf, sourceOf } from './sources.ts';

describe('a probe', () => {
  it('starts no FFmpeg', () => {
    const part = probe.plan({ type: 'probe' }, sourceOf());
    expect(part.pieces).toEqual([]);
    const plan = planRuns({ out: part }, sourceOf());
    expect([...plan.preparations, ...plan.runs, ...plan.stills]).toEqual([]);
  });

  it('tells sizes as they are shown, and names that people know', () => {
    const media = probeOf({
      width: 1440,
      pixelAspect: 4 / 3,
      rotation: 90,
      transfer: 'smpte2084',
      fps: 29.97002997,
    });
    const told = tell(sourceOf(media));
    expect(told).toMatchObject({ container: 'MP4', mediaType: 'video/mp4', durationSeconds: 60 });
    expect(told.video[0]).toMatchObject({
      main: true,
      width: 1080,
      height: 1920,
      stored: { width: 1440, height: 1080, pixelAspect: 1.333333 },
      rotation: 90,
      fps: 29.97003,
      hdr: 'HDR10',
      interlaced: false,
      colour: { transfer: 'smpte2084' },
    });
  });

  it('says null for what the file does not say', () => {
    const [video] = tell(
      sourceOf(probeOf({ fieldOrderKnown: false, fps: null, durationSeconds: null })),
    ).video;
    expect(video).toMatchObject({
      interlaced: null,
      variableFrameRate: null,
      fps: null,
      durationSeconds: null,
    });
  });

  it('counts tracks as the field `track` does, and knows the cover from the video', () => {
    const media = {
      ...probeOf({ index: 1 }),
      video: [
        { ...h264, attachedPicture: true },
        { ...h264, index: 1 },
      ],
      audio: [
        { ...aac, index: 2, channels: 0 },
        { ...aac, index: 3, language: 'en' },
      ],
      subtitles: [{ index: 4, codec: 'subrip', language: 'de' }],
    };
    const told = tell(sourceOf(media));
    expect(told.video.map(({ main, attachedPicture }) => [main, attachedPicture])).toEqual([
      [false, true],
      [true, false],
    ]);
    expect(told.audio.map(({ track }) => track)).toEqual([null, 1]);
    expect(told.subtitles).toEqual([{ index: 4, track: 1, codec: 'subrip', language: 'de' }]);
  });
});
