// Watching a job to its end, and fetching what it made.

import { join } from 'node:path';
import type { JobView } from '../client/mediamill.ts';
import { FailedJob, UsageError } from './command.ts';
import type { CommandContext } from './command.ts';
import { size } from './progress-line.ts';
import { isFolder, nameIn, save } from './save.ts';

type OutputView = JobView['outputs'][number];

const LABELS = { waiting: 'Waiting', fetching: 'Fetching', processing: 'Processing', done: 'Done' } as const;

/** Throws FailedJob where it does not succeed. */
export async function watchJob(context: CommandContext, id: string): Promise<JobView> {
  const { client, terminal, signal, began } = context;
  const job = await client.wait(id, {
    signal,
    onProgress({ status, phase, progress, speed, etaSeconds }) {
      if (status !== 'queued' && status !== 'running') return;
      terminal.progress({
        label: LABELS[phase],
        fraction: phase === 'waiting' ? null : progress,
        speed: speed === null ? undefined : `${speed.toFixed(1)}×`,
        etaSeconds,
      });
    },
  });
  began(null);
  terminal.clear();
  for (const warning of job.warnings) terminal.note(`warning: ${warning}`);
  if (job.status !== 'succeeded') throw new FailedJob(job);
  return job;
}

/**
 * All files of an output. One file goes to `target` itself, unless that is a folder; several go into it. Tells the
 * paths, the one to begin with first.
 */
export async function fetchOutput(
  context: CommandContext,
  job: JobView,
  output: OutputView,
  target: string | undefined,
): Promise<string[]> {
  const { client, terminal, signal } = context;
  const into = { stdout: terminal.stdout, signal };
  if (output.files === undefined) {
    const response = await client.output(job, output.name, undefined, { signal });
    const own = nameIn(response) ?? `${job.id}-${output.name}`;
    const path =
      target === undefined ? own : target !== '-' && (await isFolder(target)) ? join(target, own) : target;
    await save(response, path, into);
    if (path !== '-') terminal.say(`${path}  ${described(output)}`);
    return [path];
  }
  if (target === '-') {
    throw new UsageError(
      `"${output.name}" is several files: give a folder after -o, or fetch one: mediamill get ${job.id} ${output.name} FILE. There is: ${output.files.map(({ file }) => file).join(', ')}.`,
    );
  }
  const folder = target ?? `${(job.source.name ?? job.id).replace(/\.[^.]*$/, '')}-${output.name}`;
  const waiting = output.files.map(({ file }) => file);
  const seen = new Set(waiting);
  const paths: string[] = [];
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    terminal.progress({ label: `Fetching ${file}`, fraction: paths.length / seen.size });
    // A server that is not to be trusted must not choose the folder.
    if (/^\.|[\\/]/.test(file)) throw new UsageError(`The server names a file ${JSON.stringify(file)}.`);
    const response = await client.output(job, output.name, file, { signal });
    const path = join(folder, file);
    paths.push(path);
    if (!file.endsWith('.m3u8')) {
      await save(response, path, into);
      continue;
    }
    // Segments are told of in playlists only.
    const text = await response.text();
    await save(new TextEncoder().encode(text), path, into);
    for (const next of filesInPlaylist(text).filter((each) => !seen.has(each))) {
      seen.add(next);
      waiting.push(next);
    }
  }
  terminal.say(`${paths[0]}  ${described(output)}, ${paths.length} files`);
  return paths;
}

/** The files beside a playlist that it names: lines without `#`, and `URI="…"` (RFC 8216, 4.1 and 4.3). */
export function filesInPlaylist(text: string): string[] {
  const named = text.split(/\r?\n/).flatMap((line) => {
    if (line.startsWith('#')) return [...line.matchAll(/URI="([^"]+)"/g)].map(([, uri = '']) => uri);
    return line.trim() === '' ? [] : [line.trim()];
  });
  return [...new Set(named)].filter((uri) => !/[/\\:?]/.test(uri));
}

function described({ mediaType, width, height, bytes }: OutputView): string {
  const parts = [
    mediaType,
    width !== null && height !== null ? `${width}×${height}` : null,
    bytes === null ? null : size(bytes),
  ];
  return parts.filter((part) => part !== null).join('  ');
}
