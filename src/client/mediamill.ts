// The client: every call of the server as a function. Runs in Node and in browsers with nothing but fetch.

import type { ImageFacts } from '../operations/image-facts.ts';
import type { JobView } from '../jobs/job-view.ts';
import { followEvents } from './event-stream.ts';
import { waitForJob } from './follow-job.ts';
import type { JobEvent, WaitOptions } from './follow-job.ts';
import { formOf, orderJob } from './job-order.ts';
import { readMixedParts } from './mixed-parts.ts';
import type { NamedFile } from './mixed-parts.ts';
import type {
  ImageInfoParams,
  ImageParams,
  ImageSetParams,
  JobOptions,
  JobOrder,
  Source,
  VideoParams,
} from './options.ts';
import { uploadInPieces } from './resumable-upload.ts';
import type { UploadOptions } from './resumable-upload.ts';
import { transport } from './transport.ts';
import { idOf } from './job-ref.ts';
import type { JobRef } from './job-ref.ts';
import type { CallOptions, ClientOptions, Query } from './transport.ts';
import { webhookCalls } from './webhook-calls.ts';
import type { DeliveryView, WebhookCalls, WebhookView } from './webhook-calls.ts';

export interface UploadView {
  readonly id: string;
  /** `part`: finished, and to be put together with others. */
  readonly status: 'receiving' | 'complete' | 'part';
  /** `upload:{id}`; null of a part, which is no source. */
  readonly source: string | null;
  readonly name: string | null;
  /** By its bytes; null while it is not complete. */
  readonly mediaType: string | null;
  /** Of the whole file; null while nobody has told. */
  readonly bytes: number | null;
  /** Bytes that are there. */
  readonly offset: number;
  readonly createdAt: string;
  readonly expiresAt: string;
}

export interface Rendition {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly mediaType: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** What was decided for it, and why. */
  readonly decisions: readonly string[];
}

export interface ImageSetManifest {
  readonly files: readonly {
    readonly file: string;
    readonly mediaType: string;
    readonly bytes: number;
    readonly width: number;
    readonly height: number;
  }[];
  /** For each format the value of a `srcset` attribute. */
  readonly srcset: Readonly<Record<string, string>>;
  /** A `<picture>` that shows it. */
  readonly html: string;
  readonly decisions: readonly string[];
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

export interface Mediamill {
  /** Makes a rendition at once. */
  image(source: Source, params?: ImageParams, options?: CallOptions): Promise<Rendition>;
  /** What a picture is. */
  imageInfo(
    source: Source | { readonly upload: string },
    params?: ImageInfoParams,
    options?: CallOptions,
  ): Promise<ImageFacts>;
  /** A picture in several widths and formats. */
  imageSet(
    source: Source,
    params: ImageSetParams,
    options?: CallOptions,
  ): Promise<{ readonly manifest: ImageSetManifest; readonly files: readonly NamedFile[] }>;
  /** Begins to transcode; `wait` tells the end. */
  video(source: Source, params?: VideoParams, options?: JobOptions): Promise<JobView>;
  /** Begins a job of a recipe or a preset. */
  job(order: JobOrder, options?: JobOptions): Promise<JobView>;
  get(job: JobRef, options?: CallOptions): Promise<JobView>;
  /** The job at its end: succeeded, failed or cancelled. */
  wait(job: JobRef, options?: WaitOptions): Promise<JobView>;
  /** All jobs, newest first, page after page. */
  jobs(
    filter?: { readonly status?: JobView['status'] | undefined; readonly limit?: number | undefined },
    options?: CallOptions,
  ): AsyncGenerator<JobView, void, undefined>;
  cancel(job: JobRef, options?: CallOptions): Promise<JobView>;
  /** The job and its results. */
  remove(job: JobRef, options?: CallOptions): Promise<void>;
  /** The bytes of an output, or of one of its files: `response.body` is a stream of them. */
  output(job: JobRef, name: string, file?: string, options?: CallOptions): Promise<Response>;
  /** What happens to all jobs, from now on or after an event of before; goes on where the connection broke. */
  events(
    options?: CallOptions & { readonly after?: string | undefined },
  ): AsyncGenerator<JobEvent & { readonly id: string }, void, undefined>;
  /** Stores a source in pieces, resumed by itself; jobs and images name it as `{ upload: id }`. */
  upload(file: Blob, options?: UploadOptions): Promise<UploadView>;
  uploads: {
    get(id: string, options?: CallOptions): Promise<UploadView>;
    list(options?: CallOptions): AsyncGenerator<UploadView, void, undefined>;
    remove(id: string, options?: CallOptions): Promise<void>;
  };
  webhooks: WebhookCalls;
  /** What the server can do: operations with their JSON Schemas, presets, limits. */
  operations(options?: CallOptions): Promise<ServerAbilities>;
}

export interface ServerAbilities {
  readonly image: readonly OperationView[];
  readonly video: readonly OperationView[];
  readonly presets: Readonly<Record<string, unknown>>;
  readonly limits: Readonly<Record<string, number>>;
  readonly ffmpeg: {
    readonly version: string | null;
    readonly encoders: readonly string[];
    readonly missing: readonly string[];
  };
}

export interface OperationView {
  readonly name: string;
  readonly summary: string;
  /** JSON Schema. */
  readonly params: Readonly<Record<string, unknown>>;
}

/**
 * A client of one server, which it names by `url`: `const mediamill = connect({ url, key })`. Makes no call by itself.
 */
export function connect(options: ClientOptions = {}): Mediamill {
  const wire = transport(options);
  const { send, json } = wire;
  const jobPath = (job: JobRef): string => `/v1/jobs/${encodeURIComponent(idOf(job))}`;
  const uploadPath = (id: string): string => `/v1/uploads/${encodeURIComponent(id)}`;

  return {
    async image(source, params = {}, { signal } = {}) {
      const response = await send('/v1/images', {
        method: 'POST',
        query: params as Query,
        body: source,
        headers: { 'content-type': 'application/octet-stream' },
        signal,
      });
      const [width = 0, height = 0] = (response.headers.get('mediamill-size') ?? '').split('x').map(Number);
      return {
        bytes: new Uint8Array(await response.arrayBuffer()),
        mediaType: response.headers.get('content-type') ?? 'application/octet-stream',
        width,
        height,
        decisions: decisionsIn(response.headers.get('mediamill-decisions')),
      };
    },
    imageInfo(source, params = {}, { signal } = {}) {
      if (isNamed(source))
        return json('/v1/images/info', { query: { ...params, source: `upload:${source.upload}` }, signal });
      return json('/v1/images/info', {
        method: 'POST',
        query: params,
        body: source,
        headers: { 'content-type': 'application/octet-stream' },
        signal,
      });
    },
    async imageSet(source, params, { signal } = {}) {
      const response = await send('/v1/images/set', {
        method: 'POST',
        query: params as unknown as Query,
        body: source,
        headers: { 'content-type': 'application/octet-stream', accept: 'multipart/mixed' },
        signal,
      });
      const [manifest, ...files] = await readMixedParts(response);
      return { manifest: JSON.parse(new TextDecoder().decode(manifest?.bytes)) as ImageSetManifest, files };
    },
    video(source, params = {}, { name, priority, webhook, idempotencyKey, signal } = {}) {
      return json('/v1/videos', {
        method: 'POST',
        query: { ...params, priority, webhook },
        creates: idempotencyKey ?? true,
        ...(source instanceof ReadableStream
          ? { body: source, headers: { 'content-type': 'application/octet-stream' } }
          : { body: formOf(source, name) }),
        signal,
      });
    },
    job: (order, given) => orderJob(wire, order, given),
    get: (job, { signal } = {}) => json(jobPath(job), { signal }),
    wait: (job, given) => waitForJob(wire, idOf(job), given),
    jobs: ({ status, limit } = {}, { signal } = {}) =>
      pages(async (after) => {
        const { jobs, next } = await json<{ jobs: JobView[]; next: string | null }>('/v1/jobs', {
          query: { status, limit, after },
          signal,
        });
        return { items: jobs, next };
      }),
    cancel: (job, { signal } = {}) => json(`${jobPath(job)}/cancel`, { method: 'POST', signal }),
    async remove(job, { signal } = {}) {
      await send(jobPath(job), { method: 'DELETE', signal });
    },
    output: (job, name, file, { signal } = {}) =>
      send([`${jobPath(job)}/outputs`, ...[name, file ?? []].flat().map(encodeURIComponent)].join('/'), {
        signal,
      }),
    async *events({ after, signal } = {}) {
      for await (const { id, data } of followEvents(wire, '/v1/events', { after, signal }))
        yield { jobId: null, job: null, ...(JSON.parse(data) as Omit<JobEvent, 'jobId' | 'job'>), id };
    },
    async upload(file, given = {}) {
      const id = await uploadInPieces(wire, file, given);
      return json(uploadPath(id), { signal: given.signal });
    },
    uploads: {
      get: (id, { signal } = {}) => json(uploadPath(id), { signal }),
      list: ({ signal } = {}) =>
        pages(async (after) => {
          const { uploads, next } = await json<{ uploads: UploadView[]; next?: string | null }>(
            '/v1/uploads',
            { query: { after }, signal },
          );
          return { items: uploads, next: next ?? null };
        }),
      async remove(id, { signal } = {}) {
        await send(uploadPath(id), { method: 'DELETE', signal });
      },
    },
    webhooks: webhookCalls(wire),
    operations: ({ signal } = {}) => json('/v1/operations', { signal }),
  };
}

async function* pages<T>(
  pageAfter: (cursor: string | undefined) => Promise<Page<T>>,
): AsyncGenerator<T, void, undefined> {
  for (let cursor: string | undefined; ; ) {
    const { items, next } = await pageAfter(cursor);
    yield* items;
    if (next === null) return;
    cursor = next;
  }
}

function decisionsIn(header: string | null): string[] {
  // Its commas are encoded, those between sentences are not.
  return header === null ? [] : header.split(', ').map(decodeURIComponent);
}

function isNamed(source: Source | { readonly upload: string }): source is { readonly upload: string } {
  return typeof source === 'object' && 'upload' in source;
}

export { MediamillError } from './error.ts';
export { hasEnded } from './follow-job.ts';
export { verifyWebhook } from './webhook-signature.ts';
export type {
  DeliveryView,
  JobEvent,
  JobOptions,
  JobOrder,
  JobRef,
  JobView,
  NamedFile,
  UploadOptions,
  WebhookView,
};
