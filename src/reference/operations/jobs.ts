// The reference of /v1/videos, /v1/jobs, their outputs and events.

import { openAsBlob } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileBody } from '../operation-doc.ts';
import type { BodyDoc, OperationDocs } from '../operation-doc.ts';
import { exampleJob } from './example-job.ts';

/** What ordering a job can be refused for. */
const order = [
  'recipe_invalid',
  'media_type_unsupported',
  'overloaded',
  'storage_full',
  'encoder_missing',
  'source_not_found',
  'upload_unfinished',
  'webhooks_unconfigured',
] as const;
const made = {
  description: 'The job, to follow at `Location`',
  headers: ['Location'],
  example: exampleJob,
} as const;
/** Whatever an output can be; the commonest. */
const bytes = [
  'video/mp4',
  'image/jpeg',
  'audio/mpeg',
  'application/vnd.apple.mpegurl',
  'text/vtt',
  'application/json',
];
const outputAnswers = {
  200: {
    description: 'The whole file',
    types: bytes,
    headers: ['ETag', 'Cache-Control', 'Content-Disposition', 'Accept-Ranges'],
  },
  206: {
    description: 'The range asked for',
    types: bytes,
    headers: ['Content-Range', 'ETag', 'Content-Disposition'],
  },
  302: { description: 'Of several files with one to begin with: where that is', headers: ['Location'] },
  304: { description: 'What you have of it still holds', headers: ['ETag'] },
} as const;
const sse = {
  description:
    'Events: `id`, `event` (the type), and `data`, JSON of `jobId`, `at`, `type`, `job` and for `output` its name. A comment comes each 15 s',
  types: ['text/event-stream'],
} as const;

export const jobDocs: OperationDocs = {
  'POST /v1/videos': {
    id: 'transcodeVideo',
    body: fileBody('video/*'),
    answers: {
      200: {
        description: 'The video, with delivery=stream',
        types: ['video/mp4', 'video/webm'],
        headers: ['Content-Disposition'],
      },
      202: made,
    },
    errors: [
      ...order,
      'video_unreadable',
      'stream_missing',
      'encode_failed',
      'encode_timeout',
      'encoder_killed',
    ],
    curl: `curl -F file=@clip.mp4 'http://127.0.0.1:3000/v1/videos?height=720'`,
    async script(mediamill) {
      const clip = await openAsBlob('clip.mp4');
      const job = await mediamill.wait(await mediamill.video(clip, { height: 720 }, { name: 'clip.mp4' }));
      const response = await mediamill.output(job, 'video');
      await writeFile('small.mp4', response.body!);
    },
  },
  'POST /v1/jobs': {
    id: 'createJob',
    body: orderBody(),
    answers: { 202: made },
    errors: [...order, 'preset_unknown', 'malformed_json', 'source_forbidden'],
    curl: `curl -F recipe='{"outputs":{"poster":{"type":"thumbnail","width":640},"sound":{"type":"audio","format":"mp3"}}}' \\
  -F file=@clip.mp4 http://127.0.0.1:3000/v1/jobs`,
    async script(mediamill) {
      const recipe = {
        outputs: { poster: { type: 'thumbnail', width: 640 }, sound: { type: 'audio', format: 'mp3' } },
      } as const;
      const job = await mediamill.job({ source: await openAsBlob('clip.mp4'), recipe });
      await mediamill.wait(job, { onProgress: ({ progress }) => console.log(progress) });
    },
  },
  'GET /v1/jobs': {
    id: 'listJobs',
    description: 'A page of them; the next one begins `after` the `next` of this one.',
    answers: { 200: { description: 'A page of jobs', example: { jobs: [exampleJob], next: null } } },
    curl: `curl 'http://127.0.0.1:3000/v1/jobs?status=succeeded&limit=2'`,
    async script(mediamill) {
      for await (const job of mediamill.jobs({ status: 'succeeded' })) console.log(job.id, job.source.name);
    },
  },
  'GET /v1/jobs/{id}': {
    id: 'getJob',
    description:
      'With `wait`, or `Prefer: wait=N`, the answer comes when the job has ended, or after so many seconds.',
    sends: ['Prefer'],
    answers: { 200: { description: 'The job', headers: ['Preference-Applied'], example: exampleJob } },
    errors: ['job_not_found'],
    curl: `curl "http://127.0.0.1:3000/v1/jobs/$JOB?wait=30"`,
    async script(mediamill, { job }) {
      const { status, outputs } = await mediamill.get(job);
      console.log(
        status,
        outputs.map(({ url }) => url),
      );
    },
  },
  'POST /v1/jobs/{id}/cancel': {
    id: 'cancelJob',
    answers: {
      202: { description: 'The job, which stops', example: { ...exampleJob, status: 'cancelled' } },
    },
    errors: ['job_not_found', 'job_finished'],
    curl: `curl -X POST "http://127.0.0.1:3000/v1/jobs/$RUNNING/cancel"`,
    async script(mediamill, { running }) {
      await mediamill.cancel(running);
    },
  },
  'DELETE /v1/jobs/{id}': {
    id: 'removeJob',
    answers: { 204: { description: 'It is gone' } },
    errors: ['job_not_found'],
    curl: `curl -X DELETE "http://127.0.0.1:3000/v1/jobs/$JOB"`,
    async script(mediamill, { job }) {
      await mediamill.remove(job);
    },
  },
  'GET /v1/jobs/{id}/outputs/{name}': {
    id: 'getOutput',
    sends: ['Range', 'If-Range', 'If-None-Match'],
    answers: {
      ...outputAnswers,
      307: {
        description:
          'With S3_REDIRECTS, of a single file: where the store itself gives it, for five minutes and to anybody',
        headers: ['Location', 'Cache-Control'],
      },
    },
    errors: ['job_not_found', 'output_not_found', 'output_not_ready', 'range_not_satisfiable'],
    curl: `curl -L "http://127.0.0.1:3000/v1/jobs/$JOB/outputs/video" -o video.mp4`,
    async script(mediamill, { job }) {
      const response = await mediamill.output(job, 'video');
      await writeFile('video.mp4', response.body!);
    },
  },
  'GET /v1/jobs/{id}/outputs/{name}/{file}': {
    id: 'getOutputFile',
    sends: ['Range', 'If-Range', 'If-None-Match'],
    answers: outputAnswers,
    errors: ['job_not_found', 'output_not_found', 'output_not_ready', 'range_not_satisfiable'],
    curl: `curl "http://127.0.0.1:3000/v1/jobs/$JOB/outputs/strip/storyboard.vtt"`,
    async script(mediamill, { job }) {
      const response = await mediamill.output(job, 'strip', 'storyboard.vtt');
      console.log(await response.text());
    },
  },
  'GET /v1/jobs/{id}/events': {
    id: 'followJob',
    sends: ['Last-Event-ID'],
    answers: {
      200: sse,
      204: { description: 'It has ended, and nothing has happened since the event you named' },
    },
    errors: ['job_not_found', 'overloaded'],
    curl: `curl "http://127.0.0.1:3000/v1/jobs/$JOB/events"`,
    async script(mediamill, { job }) {
      const ended = await mediamill.wait(job, { onProgress: ({ etaSeconds }) => console.log(etaSeconds) });
      console.log(ended.status);
    },
  },
  'GET /v1/events': {
    id: 'followJobs',
    sends: ['Last-Event-ID'],
    answers: { 200: sse },
    errors: ['overloaded'],
    curl: `curl --max-time 1 'http://127.0.0.1:3000/v1/events?lastEventId=0' || true`,
    async script(mediamill) {
      for await (const { id, type, jobId } of mediamill.events({ after: '0' })) {
        console.log(id, type, jobId);
        if (type === 'succeeded') break;
      }
    },
  },
};

function orderBody(): BodyDoc {
  const { content, required } = fileBody(null, {
    recipe: {
      type: 'string',
      contentMediaType: 'application/json',
      contentSchema: { $ref: '#/components/schemas/Recipe' },
      description: 'JSON: the named outputs wanted, a `Recipe`',
    },
    preset: { type: 'string', description: 'Name of a preset, instead of a recipe' },
    metadata: {
      type: 'string',
      contentMediaType: 'application/json',
      description: 'A JSON object of strings, at most 20, kept with the job',
    },
    webhook: { type: 'string', format: 'uri', description: 'https address that is told of the end' },
  });
  const example = {
    source: { url: 'https://example.com/clip.mov' },
    recipe: { outputs: { stream: { type: 'hls', heights: [1080, 720] } } },
  };
  return {
    description: 'What to make, and the file; or JSON that says where the file is.',
    required,
    content: {
      'application/json': { schema: { $ref: '#/components/schemas/JobOrder' }, example },
      ...content,
    },
  };
}
