// A page of one <video> that plays HLS (by hls.js) and files, and what tests ask of it. Every wait ends by the player's own
// events, and rejects as soon as the player cannot go on, with all that it knows.

import type { Browser, Page } from 'playwright-core';
import { servePlayer } from './player-server.ts';
import type { Asked, MediaPlace } from './player-server.ts';

export interface PlayerPage extends AsyncDisposable {
  readonly page: Page;
  /** What the browser has asked for, in the order in which the answers ended. */
  readonly asked: readonly Asked[];
  /** Calls a function of player-script.js. What it throws tells also what servers refused. */
  call<T>(name: string, ...args: readonly unknown[]): Promise<T>;
  /** The path under which the page reaches a file of the folder (its relative name) or an address of the server. */
  pathOf(url: string): string;
  /** Whether this browser claims to decode e.g. `video/mp4; codecs="avc1.640028"`: by Media Source Extensions, by `src`. */
  supports(type: string): Promise<{ readonly stream: boolean; readonly file: boolean }>;
}

export interface Level {
  /** hls.js orders by bitrate, the lowest first, and not as the playlist does. */
  readonly index: number;
  readonly width: number;
  readonly height: number;
  /** BANDWIDTH, bits per second. */
  readonly bitrate: number;
  /** AVERAGE-BANDWIDTH, or 0. */
  readonly averageBitrate: number;
  /** FRAME-RATE, or 0. */
  readonly frameRate: number;
  readonly videoRange: 'SDR' | 'HLG' | 'PQ';
  /** CODECS, or an empty string. */
  readonly codecs: string;
  /** Of its playlist. */
  readonly path: string;
}

export interface Track {
  readonly name: string;
  readonly language: string;
  readonly default: boolean;
}

export interface Facts {
  /** Where it is. */
  readonly seconds: number;
  /** Null while the playlist has no end. */
  readonly duration: number | null;
  /** Of the picture that is shown, upright and with square pixels. 0: nothing of it can be decoded, which is no error. */
  readonly width: number;
  readonly height: number;
  /** The index of the level that is shown; null for a file. */
  readonly level: number | null;
  readonly paused: boolean;
  readonly ended: boolean;
  /** Decoded since the film was opened. */
  readonly frames: number;
  /** Of encoded sound that was decoded. 0: there is none. */
  readonly audioBytes: number;
  /** Ranges in seconds. */
  readonly buffered: readonly (readonly [number, number])[];
}

export interface Failure {
  readonly from: 'hls' | 'video' | 'page';
  readonly fatal: boolean;
  /** `details` of hls.js (`fragLoadError`), `MediaError` and its code, or `script`. */
  readonly what: string;
  readonly message: string;
  /** Also said of good media: on a slow machine, or of a load that the player itself has given up. */
  readonly doubtful: boolean;
  /** Of the answer. */
  readonly status?: number;
  readonly path?: string;
}

/** What is being played. The next film of the same page ends it. */
export interface Film {
  facts(): Promise<Facts>;
  /** Resolves once a frame of that time is on the screen. It goes on playing if it did. */
  seek(seconds: number): Promise<Facts & { readonly frameSeconds: number }>;
  /** Plays until there and pauses. `rate` 1–16: how fast. Rejects if it ends before. */
  playUntil(seconds: number | 'end', rate?: number): Promise<Facts>;
  /** All so far, fatal or not. */
  errors(): Promise<readonly Failure[]>;
  /** A PNG of the picture that is shown, at its size, but at most 1280×720. */
  videoFrame(): Promise<Buffer>;
}

export interface HlsFilm extends Film {
  levels(): Promise<readonly Level[]>;
  tracks(): Promise<{ readonly audio: readonly Track[]; readonly subtitles: readonly Track[] }>;
  /**
   * Resolves once frames of that level's height are shown, and keeps to it. It waits until all is loaded, and plays on to
   * the next keyframe, so not near the end; then it pauses again if it was paused.
   */
  switchTo(level: Level): Promise<Facts>;
  /** Waits for the end (EXT-X-ENDLIST) of a playlist that is still written. */
  complete(): Promise<Facts>;
}

/** A page in a profile of its own, and the server behind it. */
export async function openPlayerPage(browser: Browser, place: MediaPlace): Promise<PlayerPage> {
  const server = await servePlayer(place);
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
  await page.goto(server.origin);
  const call = async <T>(name: string, ...args: readonly unknown[]): Promise<T> => {
    try {
      return await inPage<T>(page, name, args);
    } catch (error) {
      const refused = server.asked.filter(({ status }) => status >= 400);
      const list = refused.map(({ path, status }) => `\n  ${status} ${path}`).join('');
      throw new Error(`${(error as Error).message}\nRefused:${list === '' ? ' nothing' : list}`, {
        cause: error,
      });
    }
  };
  return {
    page,
    asked: server.asked,
    call,
    pathOf(url) {
      const address = new URL(url, `${server.origin}/media/`);
      const own = [server.origin, place.origin].some(
        (origin) => origin !== undefined && new URL(origin).origin === address.origin,
      );
      if (!own) throw new Error(`The page reaches neither its folder nor its server by ${url}.`);
      return address.pathname + address.search;
    },
    supports: (type) => call('supports', type),
    async [Symbol.asyncDispose]() {
      await page.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/**
 * Opens a master or media playlist, until its first frame is there. `config` is hls.js's own, e.g. `{ startLevel: 0 }`, or
 * `{ startPosition: 0 }` for a playlist that is still written (otherwise near its end).
 */
export async function playHls(
  player: PlayerPage,
  url: string,
  config: Readonly<Record<string, unknown>> = {},
): Promise<HlsFilm> {
  await player.page.reload();
  await player.call('playHls', player.pathOf(url), config);
  return {
    ...film(player),
    levels: () => player.call('levels'),
    tracks: () => player.call('tracks'),
    switchTo: ({ index }) => player.call('switchTo', index),
    complete: () => player.call('complete'),
  };
}

/** Opens a file by `<video src>`, until its first frame is there, or any data if there is no picture. */
export async function playFile(player: PlayerPage, url: string): Promise<Film> {
  await player.page.reload();
  await player.call('playFile', player.pathOf(url));
  return film(player);
}

/** Without the doubtful ones. */
export function faultsAmong(failures: readonly Failure[]): readonly Failure[] {
  return failures.filter(({ doubtful }) => !doubtful);
}

function film(player: PlayerPage): Film {
  return {
    facts: () => player.call('facts'),
    seek: (seconds) => player.call('seek', seconds),
    playUntil: (seconds, rate = 1) => player.call('playUntil', seconds, rate),
    errors: () => player.call('errors'),
    videoFrame: () => player.page.locator('video').screenshot({ type: 'png' }),
  };
}

function inPage<T>(page: Page, name: string, args: readonly unknown[]): Promise<T> {
  return page.evaluate(
    ([name, args]) => {
      const { player } = globalThis as unknown as {
        player: Record<string, (...args: readonly unknown[]) => unknown>;
      };
      return player[name]?.(...args) as T;
    },
    [name, args] as const,
  );
}
