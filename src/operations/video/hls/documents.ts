// All that is written over the segments of an HLS output: the master playlist, I-frame playlists, the DASH manifest.

import type { Segment } from '../../../lib/mp4/fragments.ts';
import type { Track } from '../../../lib/mp4/init.ts';
import type { Finish } from '../finish.ts';
import { segmentRates } from './bit-rates.ts';
import type { Rates } from './bit-rates.ts';
import { trackNames } from './languages.ts';
import { manifest } from './manifest.ts';
import { masterPlaylist } from './master-playlist.ts';
import type { AudioRendition, Variant } from './master-playlist.ts';
import { iframePlaylist, mediaPlaylist, PLAYLIST_TYPE } from './playlists.ts';
import type { PlaylistKind } from './playlists.ts';

export type HlsFinish = Finish & { readonly type: 'hls' };

/** What came of a rung or a track of sound. */
export interface Rendition {
  readonly name: string;
  readonly track: Track;
  readonly segments: readonly {
    readonly uri: string;
    readonly seconds: number;
    readonly bytes: number;
    readonly found: Segment;
  }[];
}

export interface HlsDocuments {
  readonly master: string;
  /** Only of what is complete. */
  readonly others: readonly { readonly file: string; readonly mediaType: string; readonly text: string }[];
}

/** `event`: written while most is still to come, so rates are those that the encoder was told. */
export function hlsDocuments(
  finish: HlsFinish,
  renditions: readonly Rendition[],
  kind: PlaylistKind,
): HlsDocuments {
  const done = kind === 'vod';
  const { targetSeconds, fps } = finish;
  const find = (name: string): Rendition => {
    const found = renditions.find((each) => each.name === name);
    if (found === undefined) throw new Error(`there is no rendition ${name}`);
    return found;
  };
  const ratesOf = (rendition: Rendition, told: { maxKbps: number; avgKbps: number }): Rates =>
    done
      ? segmentRates(rendition.segments, targetSeconds)
      : { peak: told.maxKbps * 1000, average: told.avgKbps * 1000 };

  const pictures = finish.rungs.map((rung) => {
    const rendition = find(rung.name);
    const { track } = rendition;
    if (track.kind !== 'video') throw new Error('a rung without a picture');
    const variant: Variant = {
      uri: `${rung.name}.m3u8`,
      codec: track.codec,
      size: rung.size,
      range: track.range,
      rates: ratesOf(rendition, rung),
      fps,
    };
    return { rung, rendition, track, variant };
  });
  const names = trackNames(
    finish.sounds.map(({ language }) => language),
    'Sound',
  );
  const sounds = finish.sounds.map((sound, index) => {
    const rendition = find(sound.name);
    const { track } = rendition;
    if (track.kind !== 'audio') throw new Error('a track of sound without sound');
    const audio: AudioRendition = {
      uri: `${sound.name}.m3u8`,
      codec: track.codec,
      name: names[index] ?? sound.name,
      language: sound.language,
      channels: sound.channels,
      rates: ratesOf(rendition, { maxKbps: sound.kbps, avgKbps: sound.kbps }),
    };
    return { rendition, track, audio };
  });
  const textNames = trackNames(
    finish.subtitles.map(({ language }) => language),
    'Subtitles',
  );
  const texts = finish.subtitles.map(({ name, language }, index) => ({
    id: name,
    file: `${name}.vtt`,
    uri: `${name}.m3u8`,
    name: textNames[index] ?? name,
    language,
  }));
  const iframes = done ? pictures.map((picture) => iframesOf(picture, targetSeconds)) : [];
  const master = masterPlaylist({
    variants: pictures.map(({ variant }) => variant),
    audio: sounds.map(({ audio }) => audio),
    subtitles: done ? texts : [],
    iframes: iframes.map(({ entry }) => entry),
  });
  if (!done) return { master, others: [] };
  const length = Math.max(...renditions.map(secondsOf));
  return {
    master,
    others: [
      ...iframes.map(({ entry, text }) => ({ file: entry.uri, mediaType: PLAYLIST_TYPE, text })),
      ...texts.map(({ uri, file }) => ({
        file: uri,
        mediaType: PLAYLIST_TYPE,
        text: mediaPlaylist({
          kind,
          targetSeconds: Math.ceil(length),
          init: null,
          segments: [{ uri: file, seconds: length }],
        }),
      })),
      ...(finish.dash
        ? [
            {
              file: 'manifest.mpd',
              mediaType: 'application/dash+xml',
              text: manifest({
                durationSeconds: length,
                bufferSeconds: Math.max(
                  targetSeconds,
                  ...renditions.flatMap(({ segments }) => segments.map(({ seconds }) => seconds)),
                ),
                video: pictures.map(({ rung, track, variant, rendition }) => ({
                  id: rung.name,
                  codec: variant.codec,
                  bandwidth: variant.rates.peak,
                  size: variant.size,
                  fps,
                  timeline: {
                    timescale: track.timescale,
                    segments: rendition.segments.map(({ found }) => found),
                  },
                })),
                audio: sounds.map(({ track, audio, rendition }) => ({
                  id: rendition.name,
                  codec: audio.codec,
                  bandwidth: audio.rates.peak,
                  name: audio.name,
                  language: audio.language,
                  channels: audio.channels,
                  sampleRate: track.sampleRate,
                  timeline: {
                    timescale: track.timescale,
                    segments: rendition.segments.map(({ found }) => found),
                  },
                })),
                subtitles: texts.map(({ id, file, name, language }) => ({ id, uri: file, name, language })),
              }),
            },
          ]
        : []),
    ],
  };
}

function iframesOf(
  { rung, rendition, variant }: { rung: { name: string }; rendition: Rendition; variant: Variant },
  targetSeconds: number,
) {
  const frames = rendition.segments.map(({ uri, seconds, found }) => ({
    uri,
    seconds,
    ...found.firstSample,
  }));
  const rates = segmentRates(
    frames.map(({ length, seconds }) => ({ bytes: length, seconds })),
    targetSeconds,
  );
  const { codec, size, range } = variant;
  return {
    entry: { uri: `${rung.name}.iframes.m3u8`, codec, size, range, rates },
    text: iframePlaylist({ kind: 'vod', targetSeconds, init: `${rung.name}.init.mp4`, frames }),
  };
}

function secondsOf({ segments }: Rendition): number {
  return segments.reduce((sum, { seconds }) => sum + seconds, 0);
}
