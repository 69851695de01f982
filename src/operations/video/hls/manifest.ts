// DASH over the same segments: a static MPD of the profile ISO base media file format live (ISO/IEC 23009-1, 5 and 8.4).

import { escapeMarkup } from '../../../lib/escape-markup.ts';
import type { Segment } from '../../../lib/mp4/fragments.ts';
import type { Size } from '../../video-operation.ts';
import { languageTag } from './languages.ts';
import { plainName, wholeNumber } from './tags.ts';

/** The segments of one rendition, in the units that they are counted in themselves. */
export interface Timeline {
  /** Units per second. */
  readonly timescale: number;
  readonly segments: readonly Pick<Segment, 'presentationTime' | 'duration'>[];
}

interface Representation {
  /** What its files are named: `{id}.init.mp4`, `{id}.00000.m4s` … */
  readonly id: string;
  /** As in RFC 6381. */
  readonly codec: string;
  /** Peak bits per second. */
  readonly bandwidth: number;
  readonly timeline: Timeline;
}

export interface VideoRepresentation extends Representation {
  /** With square pixels. */
  readonly size: Size;
  readonly fps: number | null;
}

/** A track of sound; the first is the main one. */
export interface AudioRepresentation extends Representation {
  readonly name: string;
  /** ISO 639, two or three letters. */
  readonly language: string | null;
  readonly channels: number;
  /** Hertz. */
  readonly sampleRate: number;
}

/** One WebVTT file. */
export interface SubtitleFile {
  readonly id: string;
  readonly uri: string;
  readonly name: string;
  readonly language: string | null;
}

export interface Manifest {
  readonly durationSeconds: number;
  /** What a player should have before it begins. Also no segment is longer. */
  readonly bufferSeconds: number;
  readonly video: readonly VideoRepresentation[];
  readonly audio: readonly AudioRepresentation[];
  readonly subtitles: readonly SubtitleFile[];
}

export function manifest(wanted: Manifest): string {
  const buffer = period(wanted.bufferSeconds);
  const sets = [
    ...(wanted.video.length === 0 ? [] : [videoSet(wanted.video)]),
    ...wanted.audio.map(audioSet),
    ...wanted.subtitles.map(subtitleSet),
  ];
  const mpd = element(
    'MPD',
    {
      xmlns: 'urn:mpeg:dash:schema:mpd:2011',
      profiles: 'urn:mpeg:dash:profile:isoff-live:2011',
      type: 'static',
      mediaPresentationDuration: period(wanted.durationSeconds),
      maxSegmentDuration: buffer,
      minBufferTime: buffer,
    },
    [
      element(
        'Period',
        { id: '0', start: 'PT0S' },
        sets.map((set, id) => set(id)),
      ),
    ],
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n${mpd.join('\n')}\n`;
}

type Lines = readonly string[];
type AdaptationSet = (id: number) => Lines;

function videoSet(video: readonly VideoRepresentation[]): AdaptationSet {
  return (id) =>
    element(
      'AdaptationSet',
      { id, contentType: 'video', mimeType: 'video/mp4', segmentAlignment: 'true', startWithSAP: 1 },
      video.map(({ size, fps, ...representation }) =>
        element(
          'Representation',
          {
            ...facts(representation),
            width: size.width,
            height: size.height,
            frameRate: fps === null ? null : frameRate(fps),
            sar: '1:1',
          },
          [template(representation)],
        ),
      ),
    );
}

function audioSet(
  { name, language, channels, sampleRate, ...representation }: AudioRepresentation,
  index: number,
): AdaptationSet {
  return (id) =>
    element(
      'AdaptationSet',
      {
        id,
        contentType: 'audio',
        mimeType: 'audio/mp4',
        lang: languageTag(language),
        segmentAlignment: 'true',
        startWithSAP: 1,
      },
      [
        element('Label', {}, name),
        role(index === 0 ? 'main' : 'alternate'),
        element('Representation', { ...facts(representation), audioSamplingRate: sampleRate }, [
          element('AudioChannelConfiguration', {
            schemeIdUri: 'urn:mpeg:dash:23003:3:audio_channel_configuration:2011',
            value: channels,
          }),
          template(representation),
        ]),
      ],
    );
}

function subtitleSet({ id: name, uri, language, name: label }: SubtitleFile): AdaptationSet {
  return (id) =>
    element('AdaptationSet', { id, contentType: 'text', mimeType: 'text/vtt', lang: languageTag(language) }, [
      element('Label', {}, label),
      role('subtitle'),
      // A rate must be given; text needs next to none.
      element('Representation', { id: plainName(name), bandwidth: 1000 }, [
        element('BaseURL', {}, plainName(uri)),
      ]),
    ]);
}

function facts({ id, codec, bandwidth }: Representation): Record<string, string | number> {
  return { id: plainName(id), codecs: codec, bandwidth: wholeNumber(Math.ceil(bandwidth)) };
}

function role(value: string): Lines {
  return element('Role', { schemeIdUri: 'urn:mpeg:dash:role:2011', value });
}

/** ISO/IEC 23009-1, 5.3.9.4 and 5.3.9.6. */
function template({ timeline }: Representation): Lines {
  return element(
    'SegmentTemplate',
    {
      timescale: wholeNumber(timeline.timescale),
      initialization: '$RepresentationID$.init.mp4',
      media: '$RepresentationID$.$Number%05d$.m4s',
      startNumber: 0,
    },
    [element('SegmentTimeline', {}, entries(timeline))],
  );
}

/** One entry for each run of equal durations; a time only where a segment does not begin where the last one ended. */
function entries({ segments }: Timeline): Lines[] {
  const rows: { t: number | null; d: number; r: number }[] = [];
  let clock: number | null = null;
  for (const { presentationTime, duration } of segments) {
    // The lead-in of sound lies before 0, where the timeline cannot go and nothing is played.
    const start = wholeNumber(Math.max(0, presentationTime));
    const end = wholeNumber(Math.max(start + 1, presentationTime + duration));
    const last = rows.at(-1);
    const d = end - start;
    if (last !== undefined && start === clock && last.d === d) last.r += 1;
    else rows.push({ t: start === clock ? null : start, d, r: 0 });
    clock = end;
  }
  return rows.map(({ t, d, r }) => element('S', { t, d, r: r === 0 ? null : r }));
}

/** As a fraction: 30000/1001 for 29.97. */
function frameRate(fps: number): string {
  const whole = Math.round(fps);
  if (Math.abs(fps - whole) < 0.002) return `${whole}`;
  const ntsc = Math.round(fps * 1.001);
  return Math.abs(fps - ntsc / 1.001) < 0.002 ? `${ntsc * 1000}/1001` : `${Math.round(fps * 1000)}/1000`;
}

/** A duration of XML Schema. */
function period(seconds: number): string {
  if (!(seconds >= 0 && seconds < 1e9)) throw new RangeError(`${seconds} is no duration`);
  return `PT${Math.round(seconds * 1000) / 1000}S`;
}

/** An element with its attributes (those that are null are left out), and in it text, others or nothing. */
function element(
  name: string,
  attributes: Readonly<Record<string, string | number | null>>,
  inside: string | readonly Lines[] = [],
): Lines {
  const list = Object.entries(attributes).flatMap(([key, value]) =>
    value === null ? [] : [` ${key}="${xml(`${value}`)}"`],
  );
  const open = `<${name}${list.join('')}`;
  if (typeof inside === 'string') return [`${open}>${xml(inside)}</${name}>`];
  if (inside.length === 0) return [`${open}/>`];
  return [`${open}>`, ...inside.flat().map((line) => `  ${line}`), `</${name}>`];
}

function xml(text: string): string {
  // XML has no way at all to write most of them, and an attribute would lose the others.
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\ufffe\uffff]/.test(text))
    throw new RangeError('control characters cannot stand in a manifest');
  return escapeMarkup(text);
}
