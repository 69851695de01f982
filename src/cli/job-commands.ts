// transcode, hls, thumbnail …, and job: a file in, what was made of it out.

import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Recipe } from '../client/options.ts';
import type { JobView } from '../client/mediamill.ts';
import { asRecipeFields } from './arguments.ts';
import { beginJob } from './begin-job.ts';
import type { JobExtras, Wanted } from './begin-job.ts';
import { UsageError } from './command.ts';
import type { Command, CommandContext } from './command.ts';
import { fetchOutput, watchJob } from './finish-job.ts';
import { onlyFile, sayFacts } from './image-commands.ts';
import { assertFormat, assertOtherFile } from './save.ts';

/** Said of a job, and not of an output of it. */
const OF_JOB = ['priority', 'webhook', 'metadata'];

const common = [
  'The source is a file, - for standard input, upload:ID or an https URL. The result goes to -o, or into this folder.',
  '--priority 5 and --webhook https://… are the job’s; with --detach the job is printed and left to itself.',
  'Ctrl-C cancels it.',
];

interface OutputCommand {
  readonly name: string;
  readonly summary: string;
  readonly takes: string;
  readonly help: string;
  /** Where the name after -o tells the format. */
  readonly formats?: Readonly<Record<string, string>>;
}

const OUTPUTS: readonly OutputCommand[] = [
  {
    name: 'transcode',
    takes: 'VIDEO [--height 720] [--quality 75] [-o FILE]',
    summary: 'Make a video that plays everywhere',
    help: 'Takes the parameters of "transcode": --format webm, --codec av1, --start 10, --end 20, --mute, --fps 30 …',
    formats: { '.mp4': 'mp4', '.webm': 'webm' },
  },
  {
    name: 'hls',
    takes: 'VIDEO [--heights 1080,720,480] [-o FOLDER]',
    summary: 'Make an adaptive stream: playlists, segments, all in a folder',
    help: 'Takes the parameters of "hls".',
  },
  {
    name: 'thumbnail',
    takes: 'VIDEO [--at 25%] [--width 640] [-o FILE]',
    summary: 'Take one good frame of a video, or many',
    help: 'Takes the parameters of "thumbnail": --at 12.5, --at 10%,50%, --at best, --count 10, --format webp …',
    formats: { '.jpg': 'jpeg', '.jpeg': 'jpeg', '.png': 'png', '.webp': 'webp' },
  },
  {
    name: 'audio',
    takes: 'VIDEO [--format mp3] [--loudness -16] [-o FILE]',
    summary: 'Take the sound alone',
    help: 'Takes the parameters of "audio": --bitrate 128, --channels 1 …',
    formats: {
      '.m4a': 'aac',
      '.mp3': 'mp3',
      '.ogg': 'opus',
      '.opus': 'opus',
      '.flac': 'flac',
      '.wav': 'wav',
    },
  },
  {
    name: 'storyboard',
    takes: 'VIDEO [--everySeconds 5] [-o FOLDER]',
    summary: 'Put small pictures of every few seconds on sprites, with a WebVTT map',
    help: 'Takes the parameters of "storyboard".',
  },
  {
    name: 'preview',
    takes: 'VIDEO [--format gif] [-o FILE]',
    summary: 'Make a short silent loop of several moments',
    help: 'Takes the parameters of "preview".',
    formats: { '.webp': 'webp', '.gif': 'gif', '.mp4': 'mp4' },
  },
  {
    name: 'waveform',
    takes: 'FILE [--width 800] [-o FOLDER]',
    summary: 'Draw the sound, with its peaks as JSON',
    help: 'Takes the parameters of "waveform".',
  },
  {
    name: 'probe',
    takes: 'VIDEO [-o FILE]',
    summary: 'Tell what a video is: streams, codecs, duration',
    help: 'Takes the parameters of "probe".',
  },
];

export const outputCommands: readonly Command[] = OUTPUTS.map(({ name, takes, summary, help, formats }) => ({
  name,
  takes,
  summary,
  help: [help, ...common],
  async run(context) {
    const { words, params, output } = context.given;
    const named = output === undefined ? undefined : formats?.[extname(output).toLowerCase()];
    const [fields, extras] = divided(params);
    const source = onlyFile(words);
    if (formats !== undefined && !fields.has('format')) await assertFormat(output, formats);
    await assertOtherFile(source, output);
    const made = { type: name, ...(named !== undefined && { format: named }), ...asRecipeFields(fields) };
    // Whether it is a recipe the server says, in better words than types could.
    const recipe = { outputs: { [name === 'transcode' ? 'video' : name]: made } } as unknown as Recipe;
    return name === 'probe' && output === undefined && !context.given.detach
      ? tellFacts(context, source, recipe, extras)
      : make(context, source, { recipe }, extras);
  },
}));

const ORDER =
  'mediamill job RECIPE.json SOURCE, where RECIPE.json is such as {"outputs":{"video":{"type":"transcode"}}}; or mediamill job --preset NAME SOURCE.';

export const job: Command = {
  name: 'job',
  takes: 'RECIPE.json SOURCE | --preset NAME SOURCE [-o FOLDER/]',
  summary: 'Make several outputs of one file, by a recipe or a preset',
  help: [
    ...common,
    '--metadata \'{"order":"17"}\' is kept with the job. mediamill presets lists the presets.',
  ],
  async run(context) {
    const [fields, extras] = divided(context.given.params);
    const preset = fields.get('preset');
    const unknown = [...fields.keys()].filter((name) => name !== 'preset');
    if (unknown[0] === 'recipe')
      throw new UsageError(`The recipe stands before the source, without an option: ${ORDER}`);
    if (unknown.length > 0)
      throw new UsageError(`A recipe says all; there is no --${unknown[0]} here. ${ORDER}`);
    const [, ...paths] = context.given.words;
    const [recipePath = '', source] = preset === undefined ? paths : ['', ...paths];
    if (source === undefined || paths.length > (preset === undefined ? 2 : 1))
      throw new UsageError(`Give a recipe and a source: ${ORDER}`);
    return make(
      context,
      source,
      preset === undefined ? { recipe: await readRecipe(recipePath) } : { preset },
      extras,
    );
  },
};

/** As `info` does of images. */
async function tellFacts(
  context: CommandContext,
  source: string,
  recipe: Recipe,
  extras: JobExtras,
): Promise<unknown> {
  const { client, terminal, signal } = context;
  const { id } = await beginJob(context, source, { recipe }, extras);
  const finished = await watchJob(context, id);
  const response = await client.output(finished, 'probe', undefined, { signal });
  const facts = (await response.json()) as object;
  sayFacts(terminal, facts);
  return facts;
}

async function make(
  context: CommandContext,
  source: string,
  wanted: Wanted,
  extras: JobExtras,
): Promise<unknown> {
  const { given, terminal } = context;
  const { output, detach } = given;
  const begun = await beginJob(context, source, wanted, extras);
  if (detach) {
    context.began(null);
    terminal.say(begun.id);
    return begun;
  }
  return { ...(await fetchAll(context, await watchJob(context, begun.id), output)) };
}

/** Every output of a job. Several outputs go into a folder, those that are several files into one of their own in it. */
export async function fetchAll(
  context: CommandContext,
  finished: JobView,
  target: string | undefined,
): Promise<JobView & { readonly saved: readonly string[] }> {
  const { outputs } = finished;
  if (outputs.length > 1 && target === '-')
    throw new UsageError(
      `The job has several outputs: give a folder after -o, or fetch one: mediamill get ${finished.id} ${outputs[0]?.name} -o -`,
    );
  const saved: string[] = [];
  for (const output of outputs) {
    const folder =
      outputs.length === 1 || target === undefined
        ? target
        : output.files === undefined
          ? `${target}/`
          : join(target, output.name);
    saved.push(...(await fetchOutput(context, finished, output, folder)));
  }
  return { ...finished, saved };
}

async function readRecipe(path: string): Promise<Recipe> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new UsageError(`The recipe cannot be read: ${error.message}. ${ORDER}`);
  });
  try {
    return JSON.parse(text) as Recipe;
  } catch (error) {
    throw new UsageError(`${path} is not valid JSON: ${(error as Error).message}. ${ORDER}`);
  }
}

function divided(params: ReadonlyMap<string, string>): [ReadonlyMap<string, string>, JobExtras] {
  const fields = new Map([...params].filter(([name]) => !OF_JOB.includes(name)));
  const [priority, webhook, metadata] = OF_JOB.map((name) => params.get(name));
  return [
    fields,
    {
      ...(priority !== undefined && { priority: numberOf(priority) }),
      ...(webhook !== undefined && { webhook }),
      ...(metadata !== undefined && { metadata: metadataOf(metadata) }),
    },
  ];
}

function numberOf(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new UsageError(`--priority takes a whole number, not ${text}.`);
  return Number(text);
}

function metadataOf(text: string): Record<string, string> {
  try {
    return JSON.parse(text) as Record<string, string>;
  } catch {
    throw new UsageError('--metadata takes a JSON object of strings, such as \'{"order":"17"}\'.');
  }
}
