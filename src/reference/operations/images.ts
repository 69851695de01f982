// The reference of /v1/images.

import { openAsBlob } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileBody } from '../operation-doc.ts';
import type { OperationDocs } from '../operation-doc.ts';

const unreadable = [
  'image_unreadable',
  'image_too_large',
  'image_too_many_frames',
  'image_too_complex',
  'image_quarantined',
  'image_deadline',
  'media_type_unsupported',
] as const;
const unmade = [
  'rendition_too_large',
  'crop_outside',
  'not_acceptable',
  'source_not_found',
  'upload_unfinished',
] as const;
const pictures = ['image/jpeg', 'image/webp', 'image/avif', 'image/png', 'image/gif', 'image/tiff'];
const asJob = {
  description: 'With `Prefer: respond-async`: the job, to follow at `Location`',
  headers: ['Location', 'Preference-Applied'],
} as const;

export const imageDocs: OperationDocs = {
  'POST /v1/images': {
    id: 'renderImage',
    body: fileBody('image/*'),
    sends: ['Accept', 'Prefer'],
    answers: {
      200: {
        description: 'The rendition',
        types: pictures,
        headers: [
          'Mediamill-Size',
          'Mediamill-Decisions',
          'Mediamill-Max-Bytes',
          'Content-Disposition',
          'ETag',
          'Vary',
          'Server-Timing',
        ],
      },
      202: asJob,
    },
    errors: [...unreadable, ...unmade],
    curl: `curl -T photo.jpg -X POST 'http://127.0.0.1:3000/v1/images?width=800&format=webp' -o small.webp`,
    async script(mediamill) {
      const photo = await openAsBlob('photo.jpg');
      const { bytes } = await mediamill.image(photo, { width: 800, format: 'webp' });
      await writeFile('small.webp', bytes);
    },
  },
  'POST /v1/images/info': {
    id: 'inspectImage',
    body: fileBody('image/*'),
    answers: {
      200: {
        description: 'The facts that were asked for',
        example: { format: 'jpeg', width: 2400, height: 1600, dominantColour: '#4d7ea8' },
      },
    },
    errors: unreadable,
    curl: `curl -F file=@photo.jpg 'http://127.0.0.1:3000/v1/images/info?fields=format,size,dominantColour'`,
    async script(mediamill) {
      const photo = await openAsBlob('photo.jpg');
      const facts = await mediamill.imageInfo(photo, { fields: ['format', 'size', 'dominantColour'] });
      console.log(facts.width, facts.height, facts.dominantColour);
    },
  },
  'GET /v1/images/info': {
    id: 'inspectStoredImage',
    answers: {
      200: {
        description: 'The facts that were asked for',
        example: { format: 'jpeg', mediaType: 'image/jpeg', width: 2400, height: 1600, frames: 1 },
      },
    },
    errors: [...unreadable, 'source_not_found', 'upload_unfinished', 'payload_too_large', 'overloaded'],
    curl: `curl "http://127.0.0.1:3000/v1/images/info?source=upload:$UPLOAD"`,
    async script(mediamill, { upload }) {
      const facts = await mediamill.imageInfo({ upload });
      console.log(facts.mediaType, facts.blurhash);
    },
  },
  'POST /v1/images/set': {
    id: 'renderImageSet',
    body: fileBody('image/*'),
    sends: ['Accept', 'Prefer'],
    answers: {
      200: {
        description: 'The manifest and the files',
        types: ['multipart/mixed', 'application/zip'],
        headers: ['Vary', 'Server-Timing'],
      },
      202: asJob,
    },
    errors: [...unreadable, ...unmade],
    curl: `curl -F file=@photo.jpg -H 'Accept: application/zip' \\
  'http://127.0.0.1:3000/v1/images/set?widths=320,640&formats=webp,jpeg' -o set.zip`,
    async script(mediamill) {
      const photo = await openAsBlob('photo.jpg');
      const { manifest, files } = await mediamill.imageSet(photo, {
        widths: [320, 640],
        formats: ['webp', 'jpeg'],
      });
      for (const { name, bytes } of files) await writeFile(name, bytes);
      console.log(manifest.html);
    },
  },
  'GET /v1/images/{signature}/{options}/{source}': {
    id: 'fetchSignedImage',
    sends: ['Accept', 'If-None-Match'],
    answers: {
      200: {
        description: 'The rendition',
        types: pictures,
        headers: ['Mediamill-Size', 'Mediamill-Decisions', 'ETag', 'Cache-Control', 'Vary'],
      },
      304: { description: 'What you have of it still holds', headers: ['ETag', 'Cache-Control'] },
    },
    errors: [
      ...unreadable,
      ...unmade,
      'signature_invalid',
      'signature_expired',
      'preset_unknown',
      'source_forbidden',
      'source_unavailable',
      'payload_too_large',
      'overloaded',
    ],
    curl: `curl "http://127.0.0.1:3000$SIGNED_PATH" -o small.webp`,
    script: null,
  },
};
