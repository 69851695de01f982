// <media-player>: a film or a sound with controls of our own: a time line with pictures, and the rungs of a stream.

import type Hls from 'hls.js';
import { clock } from '../words.ts';
import { button, dress, element, select, slider } from './controls.ts';
import { readStoryboard, tileAt } from './storyboard-map.ts';
import type { Tile } from './storyboard-map.ts';

const TAG = 'media-player';

/** Attributes: `src`; `type` (its media type); `poster`; `storyboard` (address of the WebVTT map); `title`; `audio` where there is no picture. */
class MediaPlayer extends HTMLElement {
  static readonly observedAttributes = ['src', 'storyboard', 'poster'];
  readonly #media = element('video', '');
  readonly #play = button('Play', 'play', () => this.#toggle());
  readonly #seek = slider('Position', 0, 1000);
  readonly #time = element('span', 'time');
  readonly #mute = button('Mute', 'loud', () => {
    this.#media.muted = !this.#media.muted;
  });
  readonly #quality = select('Quality', (value) => this.#choose(Number(value)));
  readonly #full = button('Full screen', 'full', () => void this.#fullscreen());
  readonly #preview = element('div', 'preview');
  readonly #fault = element('p', 'wrong');
  #hls: Hls | undefined;
  #tiles: readonly Tile[] = [];
  #dragging = false;

  connectedCallback(): void {
    if (this.childElementCount === 0) this.#build();
    this.#load();
  }

  disconnectedCallback(): void {
    this.#hls?.destroy();
    this.#hls = undefined;
    this.#media.removeAttribute('src');
    this.#media.load();
  }

  attributeChangedCallback(name: string, before: string | null, value: string | null): void {
    if (before === value || !this.isConnected) return;
    if (name === 'src') this.#load();
    if (name === 'poster') this.#media.poster = value ?? '';
    if (name === 'storyboard') void this.#readTiles();
  }

  /** Seconds. */
  seek(to: number): void {
    this.#media.currentTime = to;
  }

  #build(): void {
    const media = this.#media;
    media.playsInline = true;
    media.preload = 'metadata';
    media.setAttribute('aria-label', this.getAttribute('title') ?? 'Film');
    const line = element('div', 'line');
    this.#preview.hidden = this.#fault.hidden = this.#quality.hidden = true;
    line.append(this.#seek, this.#preview);
    const bar = element('div', 'controls');
    bar.append(this.#play, line, this.#time, this.#mute, this.#quality);
    if (!this.hasAttribute('audio')) bar.append(this.#full);
    this.append(media, bar, this.#fault);
    media.addEventListener('click', () => this.#toggle());
    for (const event of [
      'play',
      'pause',
      'ended',
      'timeupdate',
      'durationchange',
      'volumechange',
      'seeked',
    ]) {
      media.addEventListener(event, () => this.#show());
    }
    media.addEventListener('error', () => this.#fail('This browser cannot play it. Download it instead.'));
    this.#seek.addEventListener('input', () => {
      this.#dragging = true;
      this.#time.textContent = `${clock(this.#wanted())} / ${clock(media.duration)}`;
      this.#showTile(Number(this.#seek.value) / 1000);
    });
    this.#seek.addEventListener('change', () => {
      this.#dragging = false;
      media.currentTime = this.#wanted();
    });
    line.addEventListener('pointermove', (event) => {
      const { left, width } = this.#seek.getBoundingClientRect();
      this.#showTile((event.clientX - left) / width);
    });
    line.addEventListener('pointerleave', () => (this.#preview.hidden = true));
    this.#seek.addEventListener('blur', () => (this.#preview.hidden = true));
    if (this.hasAttribute('poster')) media.poster = this.getAttribute('poster') ?? '';
    void this.#readTiles();
    this.#show();
  }

  #load(): void {
    const src = this.getAttribute('src');
    this.#hls?.destroy();
    this.#hls = undefined;
    this.#fault.hidden = this.#quality.hidden = true;
    if (src === null) return;
    if (this.getAttribute('type')?.includes('mpegurl') === true) void this.#stream(src);
    else this.#media.src = src;
  }

  async #stream(src: string): Promise<void> {
    const { default: Player } = await import('hls.js');
    if (!this.isConnected || this.getAttribute('src') !== src) return;
    if (!Player.isSupported()) {
      // Safari on phones plays streams by itself.
      this.#media.src = src;
      return;
    }
    const hls = new Player({ enableWorker: false, startPosition: 0 });
    this.#hls = hls;
    hls.on(Player.Events.MANIFEST_PARSED, () => this.#offer(hls));
    hls.on(Player.Events.LEVEL_SWITCHED, () => this.#offer(hls));
    hls.on(Player.Events.ERROR, (_, { fatal, type, details }) => {
      if (!fatal) return;
      if (type === Player.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
      else this.#fail(`The stream cannot be played: ${details}.`);
    });
    hls.loadSource(src);
    hls.attachMedia(this.#media);
  }

  /** The rungs, the best first; which one is shown now stands beside `auto`. */
  #offer(hls: Hls): void {
    const now = hls.levels[hls.currentLevel];
    const auto = now === undefined || !hls.autoLevelEnabled ? 'Auto' : `Auto (${now.height}p)`;
    const rungs = hls.levels.map(({ height, bitrate }, index) => ({
      ...{ value: `${index}`, height },
      text: `${height}p · ${(bitrate / 1e6).toFixed(1)} Mbit/s`,
    }));
    const options = [{ value: '-1', text: auto }, ...rungs.sort((a, b) => b.height - a.height)];
    this.#quality.replaceChildren(...options.map(({ value, text }) => new Option(text, value)));
    this.#quality.value = hls.autoLevelEnabled ? '-1' : `${hls.loadLevel}`;
    this.#quality.hidden = rungs.length < 2;
  }

  #choose(level: number): void {
    // At once, and not after what is buffered: whoever chooses wants to see it.
    if (this.#hls !== undefined) this.#hls.currentLevel = level;
  }

  #toggle(): void {
    if (this.#media.paused) this.#media.play().catch(() => undefined);
    else this.#media.pause();
  }

  #wanted(): number {
    const { duration } = this.#media;
    return Number.isFinite(duration) ? (Number(this.#seek.value) / 1000) * duration : 0;
  }

  #show(): void {
    const { paused, currentTime, duration, muted } = this.#media;
    dress(this.#play, paused ? 'play' : 'pause', paused ? 'Play' : 'Pause');
    dress(this.#mute, muted ? 'silent' : 'loud', muted ? 'Unmute' : 'Mute');
    if (this.#dragging) return;
    this.#time.textContent = `${clock(currentTime)} / ${clock(duration)}`;
    this.#seek.value = Number.isFinite(duration) ? `${(currentTime / duration) * 1000}` : '0';
    this.#seek.setAttribute('aria-valuetext', `${clock(currentTime)} of ${clock(duration)}`);
  }

  async #readTiles(): Promise<void> {
    const map = this.getAttribute('storyboard');
    if (map === null) return;
    const response = await fetch(map).catch(() => undefined);
    if (response?.ok === true) this.#tiles = readStoryboard(await response.text(), response.url);
  }

  /** `part`: of the time line, 0 to 1. */
  #showTile(part: number): void {
    const { duration } = this.#media;
    const at = Math.min(1, Math.max(0, part)) * (Number.isFinite(duration) ? duration : 0);
    const tile = tileAt(this.#tiles, at);
    this.#preview.hidden = tile === undefined;
    if (tile === undefined) return;
    Object.assign(this.#preview.style, {
      width: `${tile.width}px`,
      height: `${tile.height}px`,
      backgroundImage: `url("${tile.url}")`,
      backgroundPosition: `-${tile.x}px -${tile.y}px`,
      left: `clamp(0px, calc(${part * 100}% - ${tile.width / 2}px), calc(100% - ${tile.width}px))`,
    });
    this.#preview.textContent = clock(at);
  }

  async #fullscreen(): Promise<void> {
    if (document.fullscreenElement === null) await this.requestFullscreen().catch(() => undefined);
    else await document.exitFullscreen();
  }

  #fail(text: string): void {
    this.#fault.textContent = text;
    this.#fault.hidden = false;
  }
}

export function defineMediaPlayer(): void {
  if (customElements.get(TAG) === undefined) customElements.define(TAG, MediaPlayer);
}
