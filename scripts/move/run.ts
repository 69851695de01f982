// One run of `npm run move`: whether it may begin, the move, and what is said of it.

import { access, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { pino } from 'pino';
import { clock, size } from '../../src/cli/progress-line.ts';
import { terminal } from '../../src/cli/terminal.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { ConfigError, readConfig } from '../../src/config.ts';
import type { Config } from '../../src/config.ts';
import { handOver } from '../../src/jobs/store-owner.ts';
import type { Logger } from '../../src/logger.ts';
import { openFleetEnd } from '../../src/move/fleet-marker.ts';
import { folderEnd, readMarker } from '../../src/move/marker.ts';
import type { Marker } from '../../src/move/marker.ts';
import { move } from '../../src/move/move.ts';
import type { Moved, MoveProgress } from '../../src/move/move.ts';
import { beginMove, endMove, giveUpMove, openTarget } from '../../src/move/passage.ts';
import type { PassageOptions } from '../../src/move/passage.ts';
import { survey } from '../../src/move/survey.ts';
import type { Amount } from '../../src/move/survey.ts';
import { fleetProcesses } from '../../src/redis/fleet-processes.ts';
import { useFolderAlone } from '../../src/sqlite/folder-use.ts';
import { readOptions, Refusal, USAGE } from './options.ts';
import type { Given } from './options.ts';
import { isEmpty, openPlaces } from './places.ts';

export interface RunOptions {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly signal: AbortSignal;
}

interface Run {
  readonly given: Given;
  readonly config: Config;
  readonly words: Terminal;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const STEPS: Readonly<Record<MoveProgress['step'], (total: Amount) => string>> = {
  files: ({ files, bytes }) => `Files: ${files}, ${size(bytes)}`,
  records: ({ records }) => `Records: ${records}`,
  jobs: ({ jobs }) => `Jobs: ${jobs}`,
  check: () => 'Checking that all of it is there',
};

/** Resolves with the exit code: 2 for what a person has to change, 1 for what failed. */
export async function runMove({ args, env, stdout, stderr, signal }: RunOptions): Promise<number> {
  const words = terminal({ stdout, stderr, json: false, quiet: false });
  const log = pino({ level: 'warn', base: null }, { write: (line) => words.note(line.trimEnd()) });
  try {
    const given = readOptions(args);
    if (given !== undefined) return await run({ given, config: readConfig(env), words, log, signal });
    stdout.write(USAGE);
    return 0;
  } catch (error) {
    words.clear();
    stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof ConfigError || error instanceof Refusal ? 2 : 1;
  }
}

async function run(task: Run): Promise<number> {
  const { given, config, words, log } = task;
  const { to } = given;
  const folder = config.DATA_DIR;
  const hasJobs = await isThere(join(folder, 'mediamill.sqlite'));
  await assertPossible(task, hasJobs);
  await using stack = new AsyncDisposableStack();
  // To look how much there is, nothing is made in a folder that is still empty.
  const dataDir = given.dryRun && !hasJobs ? await temporaryFolder(stack) : folder;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  // Kept to the end, so that no server begins to work in what is half here and half there.
  const alone = useFolderAlone(dataDir);
  if (alone === undefined) {
    throw new Refusal(`A server works in ${folder}, or another move. Stop it first: nothing was moved.`);
  }
  stack.defer(() => alone[Symbol.dispose]());
  const before = readMarker(folder);
  const moved: Marker = to === 'fleet' ? before : {};
  const fleet =
    config.QUEUE === 'bullmq'
      ? stack.use(await openFleetEnd({ url: config.REDIS_URL ?? '', prefix: config.REDIS_PREFIX, log }))
      : undefined;
  const documents = fleet !== undefined && moved.queue === undefined;
  const passage: PassageOptions = { to, folder: folderEnd(folder), fleet, documents };
  // Before what it needs is closed.
  if (given.giveUp) return await giveUp(passage, words);
  if (to === 'fleet' && isMoved(moved, config)) {
    await openTarget(passage);
    words.say(`All of ${folder} was moved before (${JSON.stringify(moved)}).`);
    return 0;
  }
  const { embedded, fleet: far } = stack.use(
    await openPlaces({ config: { ...config, DATA_DIR: dataDir }, moved, log }),
  );
  const [source, target] = to === 'fleet' ? [embedded, far] : [far, embedded];
  await beginMove({ ...passage, isEmpty: () => isEmpty(target), dryRun: given.dryRun });
  if (given.dryRun) {
    const there = await survey(source, target, given.files);
    words.say(`To move: ${amount(there)}. There already, or to stay: the rest.`);
    return 0;
  }
  // Who was about to start has seen by now that a move is under way, or is seen.
  await assertStopped(task);
  await handOver(source, target);
  const began = performance.now();
  const result = await move({
    ...{ from: source, to: target, many: given.files, signal: task.signal },
    told: progress(words, began),
    warn: (message) => words.note(message),
  });
  if (result.lost.length === 0) {
    await assertStopped(task);
    await endMove(passage, leftBy(to, config, before), new Date());
  }
  return tell(words, result, (performance.now() - began) / 1000);
}

async function giveUp(passage: PassageOptions, words: Terminal): Promise<number> {
  const place = passage.to === 'fleet' ? 'folder' : 'fleet';
  if (await giveUpMove(passage)) {
    words.say(
      `Given up: a server may work with the ${place} again.${passage.documents ? ' Where it was to go has a part of it, and is of no use.' : ''}`,
    );
    return 0;
  }
  words.say(`No move --to ${passage.to} is under way.`);
  return 1;
}

async function assertPossible(task: Run, hasJobs: boolean): Promise<void> {
  const { given, config } = task;
  if (config.QUEUE === 'sqlite' && config.STORE === 'disk') {
    throw new Refusal(
      'The settings name no other place than DATA_DIR: set QUEUE=bullmq with REDIS_URL, STORE=s3 with S3_BUCKET, or both.',
    );
  }
  // Files alone go between S3 and the folder of a server, which keeps its jobs.
  if ((given.to === 'fleet' || config.QUEUE === 'sqlite') && !hasJobs) {
    throw new Refusal(
      `There is no mediamill.sqlite in ${config.DATA_DIR}. Set DATA_DIR to the folder of the server.`,
    );
  }
  await assertStopped(task);
}

/** What it moves would be swept away meanwhile, or be worked on where it comes from. */
async function assertStopped({ given: { stopped }, config, log }: Run): Promise<void> {
  if (config.QUEUE !== 'bullmq' || stopped) return;
  const prefix = config.REDIS_PREFIX;
  const running = await fleetProcesses({ url: config.REDIS_URL ?? '', prefix, log });
  if (running === 0) return;
  throw new Refusal(
    `${running === 1 ? '1 process' : `${running} processes`} of the fleet ${prefix} still at work. Stop every machine first; if they are gone already, say so with --stopped. The move has not ended.`,
  );
}

async function temporaryFolder(stack: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-move-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function isMoved({ moving, queue, store }: Marker, { QUEUE, STORE }: Config): boolean {
  if (moving !== undefined) return false;
  return (QUEUE === 'sqlite' || queue !== undefined) && (STORE === 'disk' || store !== undefined);
}

/** When what was moved has gone elsewhere; nothing of what came back. */
function leftBy(
  to: Given['to'],
  { QUEUE, STORE }: Config,
  { queue, store }: Marker,
): Pick<Marker, 'queue' | 'store'> {
  const at = to === 'fleet' ? new Date().toISOString() : undefined;
  return { queue: QUEUE === 'bullmq' ? at : queue, store: STORE === 's3' ? at : store };
}

function progress(words: Terminal, began: number): (progress: MoveProgress) => void {
  let last: MoveProgress['step'] | undefined;
  return ({ step, done, total, sentBytes }) => {
    if (step !== last) words.note(STEPS[step](total));
    last = step;
    if (step === 'check') return;
    const rate = sentBytes / ((performance.now() - began) / 1000);
    const [so, of] = step === 'files' ? [done.bytes, total.bytes] : [done[step], total[step]];
    words.progress({
      label: step,
      fraction: of === 0 ? 1 : so / of,
      speed: step === 'files' ? `${size(rate)}/s` : `${so} of ${of}`,
      ...(step === 'files' && rate > 0 && { etaSeconds: (of - so) / rate }),
    });
  };
}

function tell(words: Terminal, { sent, checked, lost, missing }: Moved, seconds: number): number {
  words.say(`Sent in ${clock(seconds)}: ${amount(sent)}.`);
  words.say(`Checked, and there: ${amount(checked)}.`);
  for (const what of missing) words.say(`Missing here already: ${what}.`);
  for (const what of lost) words.say(`NOT THERE: ${what}.`);
  if (lost.length > 0) {
    words.say('Not all of it is there. Run it again; nothing was deleted where it came from.');
    return 1;
  }
  words.say(
    'Nothing was deleted where it came from. Not moved: the counts of today and of rate limits, which begin anew, and cached renditions, which are made again.',
  );
  return 0;
}

function amount({ files, bytes, records, jobs }: Amount): string {
  return `${files} files and ${size(bytes)}, ${records} records, ${jobs} jobs`;
}
