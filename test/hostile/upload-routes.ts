// Every way in which a file gets into the server.

import { call, form } from '../support/client.ts';
import type { Answer } from '../support/client.ts';

export interface UploadRoute {
  readonly name: string;
  readonly lane: 'image' | 'video';
  send(address: string, bytes: Buffer): Promise<Answer>;
}

const IMAGE_RECIPE = {
  outputs: {
    small: { type: 'image', steps: [{ op: 'resize', width: 40 }], format: 'webp' },
    medium: { type: 'image', steps: [{ op: 'resize', width: 120 }], format: 'jpeg' },
  },
};
const VIDEO_RECIPE = {
  outputs: {
    film: { type: 'transcode', format: 'mp4', height: 90 },
    still: { type: 'thumbnail', at: '50%', width: 64 },
  },
};

const raw =
  (path: string, headers: Record<string, string> = {}) =>
  (address: string, body: Buffer): Promise<Answer> =>
    call(address, path, { method: 'POST', body, headers });

const multipart =
  (path: string, fields: Readonly<Record<string, unknown>> = {}) =>
  (address: string, bytes: Buffer): Promise<Answer> => {
    const { body, headers } = form([
      ...Object.entries(fields).map(([name, value]) => ({ name, content: JSON.stringify(value) })),
      { name: 'file', filename: '../../etc/passwd.png', content: bytes },
    ]);
    return call(address, path, { method: 'POST', body, headers });
  };

export const UPLOAD_ROUTES: readonly UploadRoute[] = [
  {
    name: 'image, raw',
    lane: 'image',
    send: raw('/v1/images?width=64&format=webp', { 'content-type': 'image/png' }),
  },
  { name: 'image, form', lane: 'image', send: multipart('/v1/images?width=64&format=png') },
  { name: 'image, as a job', lane: 'image', send: raw('/v1/images?width=64', { prefer: 'respond-async' }) },
  { name: 'video, raw', lane: 'video', send: raw('/v1/videos?height=90', { 'content-type': 'video/mp4' }) },
  { name: 'video, form', lane: 'video', send: multipart('/v1/videos?height=90') },
  {
    name: 'video, streamed',
    lane: 'video',
    send: raw('/v1/videos?delivery=stream&height=90', { 'content-type': 'video/mp4' }),
  },
  { name: 'job of images', lane: 'image', send: multipart('/v1/jobs', { recipe: IMAGE_RECIPE }) },
  { name: 'job of videos', lane: 'video', send: multipart('/v1/jobs', { recipe: VIDEO_RECIPE }) },
];
