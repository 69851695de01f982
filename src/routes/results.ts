// GET and HEAD of a job's outputs: immutable bytes, with ranges and conditions (RFC 9110).

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { extname } from 'node:path';
import { z } from 'zod';
import type { BlobStore, JobQueue } from '../contracts.ts';
import { isFinished } from '../jobs/job.ts';
import type { Job, OutputFile, OutputResult } from '../jobs/job.ts';
import { ifRangeHolds, matchesETag, parseRange } from '../lib/byte-range.ts';
import { contentDisposition } from '../lib/content-disposition.ts';
import { Problem } from '../problems.ts';
import { find } from './jobs.ts';

export interface ResultRoutesOptions {
  readonly queue: JobQueue;
  readonly store: BlobStore;
}

const outputParams = z.object({ id: z.string(), name: z.string() });
const fileParams = outputParams.extend({ file: z.string().describe('One of `files` of the output') });

export const resultRoutes: FastifyPluginAsyncZod<ResultRoutesOptions> = async (app, { queue, store }) => {
  const outputRoute = (
    url: string,
    params: typeof outputParams | typeof fileParams,
    about: { readonly summary: string; readonly description: string },
  ) =>
    app.route({
      method: ['GET', 'HEAD'],
      url,
      schema: {
        ...about,
        tags: ['results'],
        params,
        querystring: z.strictObject({
          download: z.stringbool().optional().describe('Ask browsers to save it instead of showing it'),
        }),
        response: {
          200: z.any().describe('The whole file'),
          206: z.any().describe('The range asked for'),
          304: z.any(),
        },
      },
      handler: async (request, reply) => {
        const { id, name, file } = request.params as z.output<typeof outputParams> & { file?: string };
        const job = await find(queue, id);
        const output = publishedFile(publishedOutput(job, name), file);
        // A run's folder has a random name and is never written again: the key says which bytes these are.
        const etag = `"${output.key.split('/').at(-2) ?? job.id}-${output.bytes}"`;
        void reply
          .header('etag', etag)
          .header('accept-ranges', 'bytes')
          .header('cache-control', 'private, max-age=3600, immutable')
          .header('content-security-policy', "default-src 'none'; sandbox")
          .header('cross-origin-resource-policy', 'cross-origin')
          .header(
            'content-disposition',
            contentDisposition(
              fileName(job, name, output.key),
              request.query.download === true ? 'attachment' : 'inline',
            ),
          );
        if (matchesETag(request.headers['if-none-match'], etag)) return reply.code(304).send();

        // Ranges are defined for GET alone (RFC 9110 §14.2).
        const wanted =
          request.method === 'GET' && ifRangeHolds(request.headers['if-range']?.toString(), etag)
            ? parseRange(request.headers.range, output.bytes)
            : undefined;
        if (wanted === 'unsatisfiable') {
          throw new Problem(
            'range_not_satisfiable',
            `The output has ${output.bytes} bytes; the range ${JSON.stringify(request.headers.range)} lies outside.`,
            {
              headers: { 'content-range': `bytes */${output.bytes}` },
            },
          );
        }
        const length = wanted === undefined ? output.bytes : wanted.end - wanted.start + 1;
        void reply
          .code(wanted === undefined ? 200 : 206)
          .header('content-type', output.mediaType)
          .header('content-length', length);
        if (wanted !== undefined)
          void reply.header('content-range', `bytes ${wanted.start}-${wanted.end}/${output.bytes}`);
        if (request.method === 'HEAD') return reply.send();
        try {
          return await reply.send(await store.read(output.key, wanted));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
          throw new Problem('output_not_found', 'The output has just been removed.', { cause: error });
        }
      },
    });

  outputRoute('/v1/jobs/:id/outputs/:name', outputParams, {
    summary: 'Fetch an output',
    description:
      'The bytes; of an output that is several files, a list of them. Takes `Range`, `If-Range` and `If-None-Match`.',
  });
  outputRoute('/v1/jobs/:id/outputs/:name/:file', fileParams, {
    summary: 'Fetch one file of an output',
    description: 'The bytes. Takes `Range`, `If-Range` and `If-None-Match`.',
  });
};

/** The output itself, or one of its files. */
function publishedFile(output: OutputResult, file: string | undefined): OutputResult | OutputFile {
  if (file === undefined) return output;
  const { files = [] } = output;
  const found = files.find((each) => each.file === file);
  if (found !== undefined) return found;
  const there =
    files.length === 0 ? 'It is a single file' : `It has: ${files.map((each) => each.file).join(', ')}`;
  throw new Problem(
    'output_not_found',
    `The output has no file ${JSON.stringify(file.slice(0, 64))}. ${there}.`,
  );
}

function publishedOutput(job: Job, name: string): OutputResult {
  const output = Object.hasOwn(job.results, name) ? job.results[name] : undefined;
  if (output !== undefined) return output;
  const names = Object.keys(job.recipe.outputs);
  if (!names.includes(name)) {
    throw new Problem(
      'output_not_found',
      `The job has no output ${JSON.stringify(name.slice(0, 64))}. It has: ${names.join(', ')}.`,
    );
  }
  if (isFinished(job))
    throw new Problem(
      'output_not_found',
      `The job was ${job.status === 'failed' ? 'not successful' : job.status}; it has no results.`,
    );
  throw new Problem(
    'output_not_ready',
    `The job is ${job.status}. Its outputs can be fetched once it has succeeded; follow it at /v1/jobs/${job.id}.`,
  );
}

/** The source's name with the output's own and its extension: what a browser saves it as. */
function fileName(job: Job, name: string, key: string): string {
  const stem = job.source.name?.replace(/\.[^.]*$/, '');
  // `results/{job}/{run}/{name}.webp`, or of several files `…/{name}.320.webp`.
  const file = key.slice(key.lastIndexOf('/') + 1);
  const end = file.startsWith(`${name}.`) ? file.slice(name.length) : extname(key);
  return `${stem === undefined || stem === '' ? job.id : stem}-${name}${end.replace(/^\.(?=.*\.)/, '-')}`;
}
