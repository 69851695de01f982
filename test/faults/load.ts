// The work that goes on while things are killed: a mix of image and video jobs, and what must come of each.

import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, form } from '../support/client.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import type { Random } from '../support/random.ts';

export type ExpectedOutput =
  | { readonly kind: 'picture'; readonly format: string; readonly width: number; readonly height: number }
  | { readonly kind: 'film'; readonly seconds: number; readonly width: number; readonly height: number };

/** Answered with 202: from then on the server owes it an end. */
export interface AcceptedJob {
  readonly id: string;
  readonly name: string;
  readonly outputs: Readonly<Record<string, ExpectedOutput>>;
}

interface Task {
  readonly name: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly recipe?: object;
  readonly source: () => Promise<Buffer>;
  readonly outputs: AcceptedJob['outputs'];
}

const picture = (format: string, width: number, height: number): ExpectedOutput => ({
  kind: 'picture',
  format,
  width,
  height,
});
const film = (seconds: number, width: number, height: number): ExpectedOutput => ({
  kind: 'film',
  seconds,
  width,
  height,
});

const TASKS: readonly Task[] = [
  {
    name: 'image',
    path: '/v1/images?width=400&format=webp',
    headers: { prefer: 'respond-async' },
    source: () => imageFixture({ width: 1200, height: 800 }),
    outputs: { image: picture('webp', 400, 267) },
  },
  {
    name: 'four images',
    path: '/v1/jobs',
    recipe: {
      outputs: {
        large: { type: 'image', steps: [{ op: 'resize', width: 1600 }], format: 'jpeg' },
        medium: { type: 'image', steps: [{ op: 'resize', width: 800 }], format: 'webp' },
        small: { type: 'image', steps: [{ op: 'resize', width: 200 }], format: 'png' },
        modern: { type: 'image', steps: [{ op: 'resize', width: 320 }], format: 'avif' },
      },
    },
    source: () => imageFixture({ width: 3000, height: 2000 }),
    outputs: {
      large: picture('jpeg', 1600, 1067),
      medium: picture('webp', 800, 533),
      small: picture('png', 200, 133),
      modern: picture('heif', 320, 213),
    },
  },
  {
    name: 'copy',
    path: '/v1/videos?poster=false',
    source: async () =>
      readFile(await clipFixture({ seconds: 3, width: 640, height: 360, container: 'mkv' })),
    outputs: { video: film(3, 640, 360) },
  },
  {
    name: 'encode',
    path: '/v1/videos?height=240',
    source: async () =>
      readFile(await clipFixture({ seconds: 2, width: 640, height: 480, codecs: 'old', container: 'avi' })),
    outputs: { video: film(2, 320, 240), poster: picture('jpeg', 320, 240) },
  },
  {
    name: 'long encode',
    path: '/v1/jobs',
    recipe: {
      outputs: {
        film: { type: 'transcode', format: 'webm', height: 240 },
        still: { type: 'thumbnail', at: '50%', width: 160, format: 'png' },
      },
    },
    source: async () =>
      readFile(
        await clipFixture({
          seconds: 3,
          width: 854,
          height: 480,
          codecs: 'old',
          container: 'mkv',
        }),
      ),
    outputs: { film: film(3, 428, 240), still: picture('png', 160, 90) },
  },
];

/** Makes the files now, so that no round waits for it. */
export async function prepareLoad(): Promise<void> {
  for (const { source } of TASKS) await source();
}

export interface Load {
  readonly accepted: readonly AcceptedJob[];
  /** Requests that got no 202: the connection broke, or 503. Each was sent again. */
  readonly broken: number;
  /** Promises that were broken by the answers: a repeated request that made a second job. */
  readonly violations: readonly string[];
}

/**
 * Posts `jobs` jobs at random moments within `milliseconds`, each until it is answered with 202. With a `key`, each has an
 * Idempotency-Key that begins with it, is sent once more when it was answered, and must then be the same job.
 */
export async function postLoad(
  address: () => string,
  random: Random,
  options: {
    readonly jobs: number;
    readonly milliseconds: number;
    readonly signal: AbortSignal;
    readonly key?: string;
  },
): Promise<Load> {
  const { signal, key } = options;
  const accepted: AcceptedJob[] = [];
  const violations: string[] = [];
  let broken = 0;
  const persistently = async (task: Task, headers: Readonly<Record<string, string>>): Promise<string> => {
    for (;;) {
      const id = await postTask(address(), task, headers);
      if (id !== undefined) return id;
      broken++;
      await sleep(100, undefined, { signal });
    }
  };
  // Every kind once before any comes twice.
  const plan = Array.from({ length: options.jobs }, (_, index) => ({
    task: TASKS[index] ?? random.pick(TASKS),
    at: random.next() * options.milliseconds,
  }));
  await Promise.all(
    plan.map(async ({ task, at }, index) => {
      await sleep(at, undefined, { signal });
      const headers = key === undefined ? {} : { 'idempotency-key': `${key}-${index}` };
      const id = await persistently(task, headers);
      accepted.push({ id, name: task.name, outputs: task.outputs });
      if (key === undefined) return;
      const again = await persistently(task, headers);
      if (again !== id) violations.push(`${task.name}: the job ${id} was made again as ${again}`);
    }),
  );
  return { accepted, broken, violations };
}

/** The id of the job, or undefined where no 202 came. A 202 whose body broke off counts: it was promised. */
async function postTask(
  address: string,
  { path, headers = {}, recipe, source }: Task,
  added: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const content = await source();
  const sent =
    recipe === undefined
      ? { body: content, headers: {} }
      : form([
          { name: 'recipe', content: JSON.stringify(recipe) },
          { name: 'file', filename: 'source', content },
        ]);
  let promised: string | undefined;
  try {
    const answer = await call(address, path, {
      method: 'POST',
      body: sent.body,
      headers: { ...headers, ...sent.headers, ...added },
      timeoutMs: 30_000,
      onHead({ statusCode, headers: { location } }) {
        if (statusCode === 202) promised = location?.split('/').at(-1);
      },
    });
    // 409: an earlier sending of it is still at work, or its process has died over it a moment ago.
    if (
      answer.status !== 202 &&
      answer.status !== 503 &&
      !('idempotency-key' in added && answer.status === 409)
    ) {
      throw new UnexpectedAnswer(`POST ${path}: ${answer.status} ${answer.body.toString()}`);
    }
  } catch (error) {
    if (error instanceof UnexpectedAnswer) throw error;
  }
  return promised;
}

class UnexpectedAnswer extends Error {
  override readonly name = 'UnexpectedAnswer';
}
