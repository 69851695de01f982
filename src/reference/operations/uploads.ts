// The reference of /v1/uploads: at once, and in pieces by tus.

import { openAsBlob } from 'node:fs';
import { fileBody } from '../operation-doc.ts';
import type { OperationDocs } from '../operation-doc.ts';

const tus = ['Tus-Resumable', 'Upload-Offset', 'Upload-Expires'] as const;

export const uploadDocs: OperationDocs = {
  'POST /v1/uploads': {
    id: 'createUpload',
    body: { ...fileBody(null), required: false },
    sends: [
      'Tus-Resumable',
      'Upload-Length',
      'Upload-Defer-Length',
      'Upload-Metadata',
      'Upload-Concat',
      'Upload-Checksum',
    ],
    answers: {
      201: {
        description: 'Stored, or with `Tus-Resumable` begun',
        headers: ['Location', 'Upload-Offset', 'Upload-Expires', 'Tus-Resumable'],
      },
    },
    errors: ['media_type_unsupported', 'storage_full', 'upload_version', 'checksum_mismatch'],
    curl: `curl -F file=@photo.jpg http://127.0.0.1:3000/v1/uploads`,
    more: [
      {
        label: 'curl, in pieces, going on after a break',
        curl: `size=$(($(wc -c < photo.jpg)))
# Begin: the answer's Location is the upload.
upload=http://127.0.0.1:3000$(curl -X POST -H 'Tus-Resumable: 1.0.0' -H "Upload-Length: $size" \\
  -H "Upload-Metadata: filename $(printf photo.jpg | base64)" \\
  -D - -o /dev/null http://127.0.0.1:3000/v1/uploads | tr -d '\\r' | sed -n 's/^[Ll]ocation: //p')
# The first bytes.
head -c 1000 photo.jpg | curl -X PATCH -H 'Tus-Resumable: 1.0.0' -H 'Upload-Offset: 0' \\
  -H 'Content-Type: application/offset+octet-stream' --data-binary @- "$upload"
# After a break: ask how much is there, and send the rest.
offset=$(curl --head -H 'Tus-Resumable: 1.0.0' "$upload" | tr -d '\\r' | sed -n 's/^[Uu]pload-[Oo]ffset: //p')
tail -c "+$((offset + 1))" photo.jpg | curl -X PATCH -H 'Tus-Resumable: 1.0.0' -H "Upload-Offset: $offset" \\
  -H 'Content-Type: application/offset+octet-stream' --data-binary @- "$upload"
curl "$upload"`,
      },
    ],
    async script(mediamill) {
      const clip = await openAsBlob('clip.mp4');
      const { id } = await mediamill.upload(clip, {
        name: 'clip.mp4',
        onProgress: ({ sent, total }) => console.log(sent / total),
      });
      await mediamill.job({ source: { upload: id }, recipe: { outputs: { video: { type: 'transcode' } } } });
    },
  },
  'GET /v1/uploads': {
    id: 'listUploads',
    answers: { 200: { description: 'Uploads, the newest first' } },
    curl: `curl http://127.0.0.1:3000/v1/uploads`,
    async script(mediamill) {
      for await (const { id, bytes } of mediamill.uploads.list()) console.log(id, bytes);
    },
  },
  'GET /v1/uploads/{id}': {
    id: 'getUpload',
    description: 'What it is, and how much of it is here.',
    answers: { 200: { description: 'The upload' } },
    errors: ['source_not_found'],
    curl: `curl "http://127.0.0.1:3000/v1/uploads/$UPLOAD"`,
    async script(mediamill, { upload }) {
      const { mediaType, expiresAt } = await mediamill.uploads.get(upload);
      console.log(mediaType, expiresAt);
    },
  },
  'HEAD /v1/uploads/{id}': {
    id: 'getUploadOffset',
    answers: { 200: { description: 'How much of it is here', headers: [...tus, 'Upload-Length'] } },
    errors: ['source_not_found', 'upload_version'],
    curl: `curl --head -H 'Tus-Resumable: 1.0.0' "http://127.0.0.1:3000/v1/uploads/$PARTIAL"`,
    script: null,
  },
  'PATCH /v1/uploads/{id}': {
    id: 'appendUpload',
    body: {
      description: 'The next bytes of the file',
      required: true,
      content: { 'application/offset+octet-stream': { schema: { type: 'string', format: 'binary' } } },
    },
    sends: ['Tus-Resumable', 'Upload-Offset', 'Upload-Length', 'Upload-Checksum'],
    answers: { 204: { description: 'They are here', headers: tus } },
    errors: [
      'source_not_found',
      'upload_offset',
      'upload_locked',
      'upload_final',
      'upload_version',
      'checksum_mismatch',
      'storage_full',
    ],
    curl: `curl -X PATCH -H 'Tus-Resumable: 1.0.0' -H 'Upload-Offset: 0' \\
  -H 'Content-Type: application/offset+octet-stream' --data-binary @photo.jpg "http://127.0.0.1:3000/v1/uploads/$PARTIAL"`,
    script: null,
  },
  'DELETE /v1/uploads/{id}': {
    id: 'removeUpload',
    description: 'With `Tus-Resumable` it ends one that is still coming.',
    answers: { 204: { description: 'It is gone' } },
    errors: ['source_not_found'],
    curl: `curl -X DELETE "http://127.0.0.1:3000/v1/uploads/$UPLOAD"`,
    async script(mediamill, { upload }) {
      await mediamill.uploads.remove(upload);
    },
  },
};
