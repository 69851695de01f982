// resize, convert, info, set: images, answered at once.

import { extname, join, parse } from 'node:path';
import type { ImageParams, ImageSetParams } from '../client/options.ts';
import { UsageError } from './command.ts';
import type { Command, CommandContext } from './command.ts';
import { size } from './progress-line.ts';
import { assertFormat, assertOtherFile, isFolder, save } from './save.ts';
import { openSource } from './source-file.ts';

/** Sent at once by one call of ours: the server has its own bounds. */
const AT_ONCE = 4;

const FORMATS: Readonly<Record<string, string>> = {
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.png': 'png',
  '.webp': 'webp',
  '.avif': 'avif',
  '.gif': 'gif',
  '.tif': 'tiff',
  '.tiff': 'tiff',
};

interface Made {
  readonly source: string;
  readonly file: string;
  readonly mediaType: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  readonly decisions: readonly string[];
}

const anyParameter =
  'Every parameter of POST /v1/images can be given: --fit cover, --quality 80, --blur 3, --maxBytes 50000 …';

export const resize: Command = {
  name: 'resize',
  takes: 'IMAGE… --width PIXELS [--height PIXELS] [-o FILE | -o FOLDER/]',
  summary: 'Make images smaller (or larger, or anything else that images can be made)',
  help: [anyParameter, 'The format follows the name after -o, unless --format is given.'],
  run: (context) => renderAll(context),
};

export const convert: Command = {
  name: 'convert',
  takes: 'IMAGE… --format webp [-o FILE | -o FOLDER/]',
  summary: 'Write images in another format',
  help: [anyParameter, 'Or leave --format out and name the file: convert photo.png -o photo.avif'],
  async run(context) {
    const { params, output } = context.given;
    if (!params.has('format') && formatOf(output) === undefined)
      throw new UsageError('Say which format: --format webp, or a file name such as -o photo.webp.');
    return renderAll(context);
  },
};

async function renderAll(context: CommandContext): Promise<unknown> {
  const { words, output, params } = context.given;
  const [, ...paths] = words;
  if (paths.length === 0) throw new UsageError('Which image? Name a file, or - for standard input.');
  const intoFolder = output !== undefined && output !== '-' && (await isFolder(output));
  if (paths.length > 1 && output !== undefined && !intoFolder)
    throw new UsageError(
      `Several images need a folder after -o, such as -o ${output === '-' ? 'small' : output}/.`,
    );
  if (!params.has('format')) await assertFormat(output, FORMATS);
  await Promise.all(paths.map((path) => assertOtherFile(path, output)));
  const queue = paths.entries();
  const made: Made[] = [];
  // One iterator for all of them: each takes what is next.
  await Promise.all(
    Array.from({ length: Math.min(AT_ONCE, paths.length) }, async () => {
      for (const [index, path] of queue) made[index] = await renderOne(context, path, intoFolder);
    }),
  );
  return paths.length === 1 ? made[0] : made;
}

async function renderOne(context: CommandContext, path: string, intoFolder: boolean): Promise<Made> {
  const { client, given, terminal, signal } = context;
  const { output, params } = given;
  await using source = await openSource(path);
  const named = formatOf(output);
  const asked = { ...(named !== undefined && { format: named }), ...Object.fromEntries(params) };
  terminal.progress({ label: `${source.name} …`, fraction: null });
  const { bytes, ...facts } = await client.image(source.blob, asked as ImageParams, { signal });
  const { mediaType, width, height, decisions } = facts;
  const own = `${parse(source.name).name}-${width}x${height}.${extensionOf(mediaType)}`;
  const file = output === undefined ? own : intoFolder ? join(output, own) : output;
  await save(bytes, file, { stdout: terminal.stdout, signal });
  if (file !== '-')
    terminal.say(
      `${file}  ${width}×${height}  ${mediaType}  ${size(bytes.length)} (was ${size(source.blob.size)})`,
    );
  return { source: path, file, mediaType, width, height, bytes: bytes.length, decisions };
}

function formatOf(output: string | undefined): string | undefined {
  return output === undefined ? undefined : FORMATS[extname(output).toLowerCase()];
}

const extensionOf = (mediaType: string): string =>
  (mediaType.split('/')[1] ?? 'bin').replace(/^jpeg$/, 'jpg').replace(/;.*/, '');

export const info: Command = {
  name: 'info',
  takes: 'IMAGE [--fields size,format,…] [--gps true]',
  summary: 'Tell what an image is: size, camera, colours, hashes',
  help: ['A video is looked at by: mediamill probe VIDEO'],
  async run({ client, given, terminal, signal }) {
    await using source = await openSource(onlyFile(given.words));
    const facts = await client.imageInfo(source.blob, listed(given.params, ['fields']), {
      signal,
    });
    sayFacts(terminal, facts);
    return facts;
  },
};

export const set: Command = {
  name: 'set',
  takes: 'IMAGE --widths 320,640,1280 [--formats webp,jpeg] [-o FOLDER]',
  summary: 'Make an image in several widths and formats, with the HTML that shows them',
  help: [
    'Takes the other parameters of POST /v1/images/set too. Without -o the folder is named after the image.',
  ],
  async run({ client, given, terminal, signal }) {
    const path = onlyFile(given.words);
    if (!given.params.has('widths')) throw new UsageError('Say which widths: --widths 320,640,1280.');
    if (given.output === '-') throw new UsageError('A set is several files: give a folder after -o.');
    await using source = await openSource(path);
    const folder = given.output ?? parse(source.name).name;
    const asked = listed(given.params, ['widths', 'formats']) as unknown as ImageSetParams;
    const { manifest, files } = await client.imageSet(source.blob, asked, { signal });
    for (const { name, bytes } of files) {
      // A server that is not to be trusted must not choose the folder.
      if (/^\.|[\\/]/.test(name)) throw new UsageError(`The server names a file ${JSON.stringify(name)}.`);
      await save(bytes, join(folder, name), { stdout: terminal.stdout, signal });
    }
    for (const { file, width, height, bytes } of manifest.files)
      terminal.say(`${join(folder, file)}  ${width}×${height}  ${size(bytes)}`);
    terminal.say(manifest.html);
    return { folder, ...manifest };
  },
};

/** The one file of a command. Throws UsageError. */
export function onlyFile([name = '', file, ...more]: readonly string[]): string {
  if (file === undefined) throw new UsageError('Which file? Name one, or - for standard input.');
  if (more.length > 0)
    throw new UsageError(`${name} takes one file; these are too many: ${more.join(', ')}.`);
  return file;
}

function listed(params: ReadonlyMap<string, string>, lists: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    [...params].map(([name, value]) => [name, lists.includes(name) ? value.split(',') : value]),
  );
}

/** One line for each. */
export function sayFacts(terminal: CommandContext['terminal'], facts: object): void {
  for (const [name, value] of Object.entries(facts)) terminal.say(`${name}: ${plain(value)}`);
}

function plain(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}
