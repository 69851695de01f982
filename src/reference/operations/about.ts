// The reference of what tells about the server itself, and of sessions.

import type { OperationDocs } from '../operation-doc.ts';

export const aboutDocs: OperationDocs = {
  'GET /': {
    id: 'getIndex',
    description: 'The addresses to begin with. A browser (`Accept: text/html`) gets the console.',
    answers: { 200: { description: 'Name, version and links' } },
    curl: `curl http://127.0.0.1:3000/`,
    script: null,
  },
  'GET /v1/operations': {
    id: 'getOperations',
    description:
      'The image operations and video outputs with their JSON Schemas, the presets, the limits, and the encoders that FFmpeg has.',
    answers: { 200: { description: 'What the server can do' } },
    curl: `curl http://127.0.0.1:3000/v1/operations`,
    async script(mediamill) {
      const { presets, limits } = await mediamill.operations();
      console.log(Object.keys(presets), limits);
    },
  },
  'GET /v1/machine': {
    id: 'getMachine',
    answers: { 200: { description: 'The last quarter of an hour' } },
    curl: `curl http://127.0.0.1:3000/v1/machine`,
    script: null,
  },
  'GET /v1/session': {
    id: 'getSession',
    description: 'Asked by pages before they ask for anything else.',
    answers: { 200: { description: 'Whether a key is needed, and what yours may do' } },
    curl: `curl http://127.0.0.1:3000/v1/session`,
    script: null,
  },
  'POST /v1/session': {
    id: 'openSession',
    answers: { 204: { description: 'Signed in', headers: ['Set-Cookie'] } },
    curl: `curl -X POST -c cookies.txt http://127.0.0.1:3000/v1/session`,
    script: null,
  },
  'DELETE /v1/session': {
    id: 'closeSession',
    description: 'The cookie, and any copy of it, is worth nothing any more.',
    answers: { 204: { description: 'Signed out', headers: ['Set-Cookie'] } },
    curl: `curl -X DELETE http://127.0.0.1:3000/v1/session`,
    script: null,
  },
  'GET /livez': {
    id: 'getLiveness',
    description: 'Says only that it answers: restart it where it does not.',
    answers: { 200: { description: 'It does' } },
    curl: `curl http://127.0.0.1:3000/livez`,
    script: null,
  },
  'GET /readyz': {
    id: 'getReadiness',
    description: 'What is missing, if something is: send it no requests then.',
    answers: { 200: { description: 'It can' }, 503: { description: 'It cannot now' } },
    curl: `curl http://127.0.0.1:3000/readyz`,
    script: null,
  },
};
