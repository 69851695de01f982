// Sending a file and beginning a job of it.

import type { JobView } from '../client/mediamill.ts';
import type { Recipe } from '../client/options.ts';
import { UsageError } from './command.ts';
import type { CommandContext } from './command.ts';
import { size } from './progress-line.ts';
import { openSource } from './source-file.ts';

/** Larger files go in pieces, so that a broken connection costs one piece and not all. Bytes. */
const IN_PIECES_FROM = 8 * 1024 * 1024;

/** Milliseconds that the answer to an order may take after Ctrl-C. */
const ANSWER_MS = 2000;

/** What is known of a job beside its source. */
export type Wanted = { readonly recipe: Recipe } | { readonly preset: string };

export interface JobExtras {
  readonly priority?: number;
  readonly webhook?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** `source`: a path, `-`, `upload:{id}` or an https URL. */
export async function beginJob(
  context: CommandContext,
  source: string,
  wanted: Wanted,
  { metadata, ...extras }: JobExtras = {},
): Promise<JobView> {
  const { client, given, terminal, signal, began } = context;
  const order = { ...wanted, metadata };
  using patient = later(signal);
  const options = { ...extras, signal: patient.signal };
  const named = /^upload:(.+)$/.exec(source)?.[1];
  if (named !== undefined) return noted(await client.job({ ...order, source: { upload: named } }, options));
  if (/^https?:\/\//i.test(source))
    return noted(await client.job({ ...order, source: { url: source } }, options));
  await using file = await openSource(source);
  if (file.blob.size < IN_PIECES_FROM && given.resume === undefined) {
    terminal.progress({ label: `Sending ${file.name}, ${size(file.blob.size)}`, fraction: null });
    return noted(await client.job({ ...order, source: file.blob }, { ...options, name: file.name }));
  }
  const { id } = await sendFile(context, file);
  return noted(await client.job({ ...order, source: { upload: id } }, options));

  function noted(job: JobView): JobView {
    began(job.id);
    // Asked to stop while the answer was on its way: now there is something to cancel.
    signal.throwIfAborted();
    return job;
  }
}

/** Aborted a while after the other, so that the answer may come which tells what there is to cancel. */
function later(signal: AbortSignal): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const start = (): void => {
    timer = setTimeout(() => controller.abort(signal.reason), ANSWER_MS);
  };
  if (signal.aborted) controller.abort(signal.reason);
  else signal.addEventListener('abort', start, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      signal.removeEventListener('abort', start);
    },
  };
}

/** In pieces, with a bar. Where it breaks for good, the way to go on is told. */
export async function sendFile(
  { client, given, terminal, signal }: CommandContext,
  { name, blob }: { readonly name: string; readonly blob: Blob },
) {
  if (blob.size === 0) throw new UsageError(`${name} is empty.`);
  const begun = performance.now();
  let id = given.resume;
  let from: number | undefined;
  try {
    const upload = await client.upload(blob, {
      name,
      resume: given.resume,
      signal,
      onStart: (started) => void (id = started),
      onProgress({ sent, total }) {
        from ??= sent;
        const perSecond = (sent - from) / ((performance.now() - begun) / 1000);
        terminal.progress({
          label: `Sending ${name}`,
          fraction: sent / total,
          ...(perSecond > 0 && {
            speed: `${size(Math.round(perSecond))}/s`,
            etaSeconds: (total - sent) / perSecond,
          }),
        });
      },
    });
    terminal.clear();
    return upload;
  } catch (error) {
    if (id !== undefined && given.resume !== id)
      terminal.note(`What has arrived is kept for a while. Go on with: --resume ${id}`);
    throw error;
  }
}
