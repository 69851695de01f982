// Recipes to begin with, for those who have no preset of their own yet.

import type { Recipe } from './operations.ts';

export interface Starter {
  readonly name: string;
  readonly about: string;
  readonly of: 'image' | 'video';
  readonly recipe: Recipe;
}

export const STARTERS: readonly Starter[] = [
  {
    name: 'Web image',
    about: 'At most 1600 px wide, as WebP',
    of: 'image',
    recipe: {
      outputs: {
        image: { type: 'image', steps: [{ op: 'resize', width: 1600 }], format: 'webp' },
      },
    },
  },
  {
    name: 'Responsive set',
    about: 'Four widths in AVIF, WebP and JPEG, with the HTML',
    of: 'image',
    recipe: {
      outputs: {
        set: { type: 'imageSet', widths: [400, 800, 1200, 1600], formats: ['avif', 'webp', 'jpeg'] },
      },
    },
  },
  {
    name: 'Square avatar',
    about: '400 × 400 px around what matters',
    of: 'image',
    recipe: {
      outputs: {
        avatar: {
          type: 'image',
          steps: [{ op: 'resize', width: 400, height: 400, fit: 'cover', position: 'attention' }],
          format: 'webp',
        },
      },
    },
  },
  {
    name: 'Streaming',
    about: 'HLS ladder, poster and storyboard',
    of: 'video',
    recipe: {
      outputs: {
        stream: { type: 'hls' },
        poster: { type: 'thumbnail', width: 1280, format: 'webp' },
        storyboard: { type: 'storyboard' },
      },
    },
  },
  {
    name: 'Web video',
    about: 'MP4 of at most 1080 lines, and a poster',
    of: 'video',
    recipe: {
      outputs: {
        video: { type: 'transcode', height: 1080 },
        poster: { type: 'thumbnail', width: 1280, format: 'webp' },
      },
    },
  },
  {
    name: 'Sound',
    about: 'MP3 at −16 LUFS, and its waveform',
    of: 'video',
    recipe: {
      outputs: {
        sound: { type: 'audio', format: 'mp3', loudness: -16 },
        wave: { type: 'waveform' },
      },
    },
  },
];
