import { describe, expect, it } from 'vitest';
import { hls } from '../../../../src/operations/video/hls.ts';
import type { Source } from '../../../../src/operations/video-operation.ts';
import { aac, probeOf, sourceOf } from '../sources.ts';

const decisionsOf = (asked: object, source: Source) =>
  hls.plan(hls.params.parse({ type: 'hls', ...asked }), source).decisions;

describe('what is told of a stream', () => {
  it('is what became of its sound', () => {
    const tracks = [aac, { ...aac, index: 2, channels: 6 }, { ...aac, index: 3, channels: 1 }];
    const told = (audio: typeof tracks, asked = {}) => decisionsOf(asked, sourceOf({ ...probeOf(), audio }));
    expect(told(tracks.slice(0, 1))).toContain('sound: 1 track as AAC 128 kb/s');
    expect(told(tracks.slice(0, 2))).toContain('sound: 2 tracks as AAC 128 kb/s');
    expect(told(tracks)).toContain('sound: 3 tracks as AAC 64 and 128 kb/s');
    expect(told(tracks, { audio: 3 })).toContain('sound: 1 track as AAC 64 kb/s');
    expect(told(tracks, { mute: true })).toContain('no sound: mute was asked for');
    expect(told([])).toContain('no sound: the source has none');
  });

  it('is that bitrates were held back, but not of a picture that is copied', () => {
    const modest = probeOf({ bitRate: 1_500_000 });
    const findings = { get: () => ({ longestSeconds: 2 }) } as unknown as Source['findings'];
    const copied = decisionsOf({ heights: [1080] }, sourceOf(modest, { findings })).join();
    expect(copied).toContain('picture copied');
    expect(copied).not.toContain('held back');
    expect(decisionsOf({ heights: [1080, 720] }, sourceOf(modest)).join()).toContain('held back');
  });
});
