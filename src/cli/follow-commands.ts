// jobs, watch, get, cancel, remove, upload, presets: what is there, and what becomes of it.

import { UsageError } from './command.ts';
import type { Command, CommandContext } from './command.ts';
import { sendFile } from './begin-job.ts';
import { fetchOutput, watchJob } from './finish-job.ts';
import { fetchAll } from './job-commands.ts';
import { onlyFile } from './image-commands.ts';
import { save } from './save.ts';
import { openSource } from './source-file.ts';
import type { JobView } from '../client/mediamill.ts';

export const jobs: Command = {
  name: 'jobs',
  words: 0,
  options: ['status', 'limit'],
  takes: '[--status failed] [--limit 20]',
  summary: 'List jobs, newest first',
  help: ['At most --limit of them, 20 unless told.'],
  async run({ client, given, terminal, signal }) {
    const limit = Number(given.params.get('limit') ?? 20);
    if (!Number.isInteger(limit) || limit < 1) throw new UsageError('--limit takes a whole number from 1.');
    const status = given.params.get('status') as JobView['status'] | undefined;
    const list: JobView[] = [];
    for await (const each of client.jobs({ status, limit: Math.min(limit, 100) }, { signal })) {
      list.push(each);
      const { id, status: state, progress, createdAt, source, outputs } = each;
      const shown = state === 'running' ? `${Math.floor(progress * 100)} %` : state;
      terminal.say(
        [
          id,
          shown.padEnd(9),
          createdAt.slice(0, 19),
          source.name ?? '-',
          outputs.map(({ name }) => name).join(','),
        ].join('  '),
      );
      if (list.length >= limit) break;
    }
    return { jobs: list };
  },
};

export const watch: Command = {
  name: 'watch',
  words: 1,
  options: [],
  takes: 'JOB',
  summary: 'Wait for a job, and say how far it is',
  help: ['Exit code 0 when it has succeeded, 1 when it has not. Ctrl-C stops watching, not the job.'],
  async run(context) {
    const job = await watchJob(context, jobId(context));
    context.terminal.say(`${job.id}  ${job.status}`);
    for (const { name, url, mediaType } of job.outputs) context.terminal.say(`${name}  ${mediaType}  ${url}`);
    return job;
  },
};

export const get: Command = {
  name: 'get',
  words: 3,
  options: [],
  takes: 'JOB [OUTPUT [FILE]] [-o FILE | -o FOLDER/ | -o -]',
  summary: 'Fetch what a job has made',
  help: ['Without a name, every output.'],
  async run(context) {
    const { client, given, terminal, signal } = context;
    const [, id = jobId(context), name, file] = given.words;
    const job = await client.get(id, { signal });
    if (name === undefined) return fetchAll(context, job, given.output);
    if (file !== undefined) {
      const path = given.output ?? file;
      await save(await client.output(job, name, file, { signal }), path, { stdout: terminal.stdout, signal });
      if (path !== '-') terminal.say(path);
      return { ...job, saved: [path] };
    }
    const output = job.outputs.find((each) => each.name === name);
    if (output === undefined)
      throw new UsageError(
        `The job has no output "${name}". It has: ${job.outputs.map((each) => each.name).join(', ')}.`,
      );
    return { ...job, saved: await fetchOutput(context, job, output, given.output) };
  },
};

export const cancel: Command = {
  name: 'cancel',
  words: 1,
  options: [],
  takes: 'JOB',
  summary: 'Stop a job',
  help: [],
  async run(context) {
    const job = await context.client.cancel(jobId(context), { signal: context.signal });
    context.terminal.say(`${job.id}  ${job.status === 'cancelled' ? 'cancelled' : 'is being stopped'}`);
    return job;
  },
};

export const remove: Command = {
  name: 'remove',
  words: 1,
  options: [],
  takes: 'JOB',
  summary: 'Remove a job and its results',
  help: [],
  async run(context) {
    const id = jobId(context);
    await context.client.remove(id, { signal: context.signal });
    context.terminal.say(`${id}  removed`);
    return { id, removed: true };
  },
};

export const upload: Command = {
  name: 'upload',
  words: 1,
  options: [],
  takes: 'FILE [--resume ID]',
  summary: 'Store a file once, to use it in many jobs as upload:ID',
  help: ['Goes in pieces. Where it breaks, --resume and the same file go on.'],
  async run(context) {
    await using file = await openSource(onlyFile(context.given.words));
    const stored = await sendFile(context, file);
    context.terminal.say(stored.source ?? stored.id);
    return stored;
  },
};

export const presets: Command = {
  name: 'presets',
  words: 0,
  options: [],
  takes: '',
  summary: 'List the presets of the server, with their outputs',
  help: [],
  async run({ client, terminal, signal }) {
    const { presets: all } = await client.operations({ signal });
    for (const [name, recipe] of Object.entries(all)) {
      const { outputs = {} } = recipe as { outputs?: Record<string, { type?: string }> };
      terminal.say(
        `${name}  ${Object.entries(outputs)
          .map(([output, { type }]) => `${output} (${type})`)
          .join(', ')}`,
      );
    }
    if (Object.keys(all).length === 0) terminal.note('The server has no presets.');
    return all;
  },
};

function jobId({ given }: CommandContext): string {
  const [name = '', id] = given.words;
  if (id === undefined) throw new UsageError(`Which job? mediamill ${name} JOB; mediamill jobs lists them.`);
  return id;
}
