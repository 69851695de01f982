import { describe, expect, it } from 'vitest';
import { manifest } from '../../../../src/operations/video/hls/manifest.ts';
import type { Manifest, Timeline } from '../../../../src/operations/video/hls/manifest.ts';

/** Segments one behind the other. */
function timeline(timescale: number, start: number, durations: readonly number[]): Timeline {
  let at = start;
  const segments = durations.map((duration) => {
    at += duration;
    return { presentationTime: at - duration, duration };
  });
  return { timescale, segments };
}

const video = {
  id: 'v720',
  codec: 'avc1.64001f',
  bandwidth: 3_100_000.2,
  size: { width: 1280, height: 720 },
  fps: 30_000 / 1001,
  timeline: timeline(30_000, 0, [120_120, 120_120, 50_050]),
};
const whole: Manifest = {
  durationSeconds: 9.676333,
  bufferSeconds: 4.004,
  video: [video],
  audio: [
    {
      id: 'a0',
      codec: 'mp4a.40.2',
      bandwidth: 130_000,
      name: 'English & more',
      language: 'eng',
      channels: 2,
      sampleRate: 48_000,
      timeline: timeline(48_000, -1024, [193_024, 192_000, 80_000]),
    },
  ],
  subtitles: [{ id: 's0', uri: 's0.vtt', name: 'Subtitles 1', language: null }],
};

const timelineOf = (given: Timeline): string[] =>
  manifest({ ...whole, video: [{ ...video, timeline: given }], audio: [] })
    .split('\n')
    .filter((line) => line.includes('<S '))
    .map((line) => line.trim());

describe('a manifest', () => {
  it('of everything', () => {
    expect(manifest(whole)).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="static" mediaPresentationDuration="PT9.676S" maxSegmentDuration="PT4.004S" minBufferTime="PT4.004S">
  <Period id="0" start="PT0S">
    <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
      <Representation id="v720" codecs="avc1.64001f" bandwidth="3100001" width="1280" height="720" frameRate="30000/1001" sar="1:1">
        <SegmentTemplate timescale="30000" initialization="$RepresentationID$.init.mp4" media="$RepresentationID$.$Number%05d$.m4s" startNumber="0">
          <SegmentTimeline>
            <S t="0" d="120120" r="1"/>
            <S d="50050"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
    <AdaptationSet id="1" contentType="audio" mimeType="audio/mp4" lang="en" segmentAlignment="true" startWithSAP="1">
      <Label>English &amp; more</Label>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
      <Representation id="a0" codecs="mp4a.40.2" bandwidth="130000" audioSamplingRate="48000">
        <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
        <SegmentTemplate timescale="48000" initialization="$RepresentationID$.init.mp4" media="$RepresentationID$.$Number%05d$.m4s" startNumber="0">
          <SegmentTimeline>
            <S t="0" d="192000" r="1"/>
            <S d="80000"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
    <AdaptationSet id="2" contentType="text" mimeType="text/vtt">
      <Label>Subtitles 1</Label>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="subtitle"/>
      <Representation id="s0" bandwidth="1000">
        <BaseURL>s0.vtt</BaseURL>
      </Representation>
    </AdaptationSet>
  </Period>
</MPD>
`);
  });

  it('of sound alone: the first is the main one', () => {
    const [first] = whole.audio;
    if (first === undefined) throw new Error('no sound');
    const text = manifest({ ...whole, video: [], audio: [first, { ...first, id: 'a1' }], subtitles: [] });
    expect(text.match(/<AdaptationSet id="\d" contentType="\w+"/g)).toEqual([
      '<AdaptationSet id="0" contentType="audio"',
      '<AdaptationSet id="1" contentType="audio"',
    ]);
    expect(text.match(/value="(?:main|alternate)"/g)).toEqual(['value="main"', 'value="alternate"']);
  });

  it.each([
    [
      'equal ones are one entry',
      timeline(25, 0, [100, 100, 100, 40]),
      ['<S t="0" d="100" r="2"/>', '<S d="40"/>'],
    ],
    ['a late start', timeline(25, 10, [100]), ['<S t="10" d="100"/>']],
    ['a lead-in is cut off', timeline(48, -1, [48, 48]), ['<S t="0" d="47"/>', '<S d="48"/>']],
    [
      'or hardly anything is left of it',
      timeline(48, -48, [48, 48]),
      ['<S t="0" d="1"/>', '<S t="0" d="48"/>'],
    ],
    [
      'a gap is said',
      {
        timescale: 25,
        segments: [
          { presentationTime: 0, duration: 100 },
          { presentationTime: 102, duration: 100 },
        ],
      },
      ['<S t="0" d="100"/>', '<S t="102" d="100"/>'],
    ],
  ] as const)('timelines: %s', (_, given, expected) => {
    expect(timelineOf(given)).toEqual(expected);
  });

  it.each([
    [25, '25'],
    [29.97, '30000/1001'],
    [24_000 / 1001, '24000/1001'],
    [60, '60'],
    [12.5, '12500/1000'],
  ])('a frame rate of %d is %s', (fps, expected) => {
    expect(manifest({ ...whole, video: [{ ...video, fps }] })).toContain(` frameRate="${expected}" `);
  });

  it('lets nothing break out', () => {
    const named = (name: string): Manifest => ({
      ...whole,
      subtitles: [{ id: 's0', uri: 's0.vtt', name, language: null }],
    });
    expect(manifest(named(`</Label><"'&`))).toContain('<Label>&lt;/Label&gt;&lt;&quot;&#39;&amp;</Label>');
    expect(() => manifest(named('a\0b'))).toThrow(RangeError);
    expect(() => manifest(named('a\nb'))).toThrow(RangeError);
    expect(() => manifest({ ...whole, video: [{ ...video, id: '$Time$' }] })).toThrow(RangeError);
    expect(() => manifest({ ...whole, durationSeconds: Number.NaN })).toThrow(RangeError);
    expect(() => timelineOf(timeline(25, 0.5, [100]))).toThrow(RangeError);
  });
});
