// What the server refuses, in the words of a command line: options instead of fields, and what was probably meant.

import type { Mediamill, MediamillError } from '../client/mediamill.ts';
import type { Arguments } from './arguments.ts';

export interface ExplainContext {
  readonly client: Pick<Mediamill, 'operations'>;
  readonly given: Arguments;
  /** Where the server's document is, which names the parameters of images. */
  readonly documentUrl: string;
}

const IMAGE_PATHS: Readonly<Record<string, string>> = {
  resize: '/v1/images',
  convert: '/v1/images',
  set: '/v1/images/set',
  info: '/v1/images/info',
};

/** Milliseconds that asking for the names may take: without them only the guess is missing. */
const NAMES_MS = 3000;

/** One line for each mistake. */
export async function explain(refusal: MediamillError, context: ExplainContext): Promise<string[]> {
  const { given } = context;
  if (refusal.code === 'unauthenticated')
    return [
      given.key === undefined
        ? 'The server wants a key that holds: give it in MEDIAMILL_KEY, or by --key.'
        : 'The server does not take the key after --key.',
    ];
  const unknown = refusal.errors.some(({ message }) => NOT_HERE.test(message));
  const names = unknown ? await parametersOf(context).catch(() => []) : [];
  const lines = refusal.errors.flatMap(({ field, message }) => {
    const [, list = ''] = NOT_HERE.exec(message) ?? [];
    const strangers = [...list.matchAll(/"([^"]+)"/g)].map(([, name = '']) => name);
    if (strangers.length > 0 && strangers.every((name) => given.params.has(name)))
      return strangers.map((name) => noOption(name, names, given.words[0] ?? ''));
    const name = field.replace(/^(?:recipe\.)?outputs\.[^.]+\./, '');
    const option = name.split('.')[0] ?? '';
    return [given.params.has(option) ? `--${name}: ${message}.` : `${field}: ${message}.`];
  });
  return lines.length > 0 ? lines : [refusal.detail];
}

const NOT_HERE = /^there is no (.+) here$/;

/** That there is no such option, and which was meant. */
export function noOption(name: string, known: readonly string[], command: string): string {
  const meant = closest(name, known);
  return `There is no --${name}.${meant === undefined ? ` mediamill ${command} --help tells what there is.` : ` Did you mean --${meant}?`}`;
}

/** The word that is one or two slips away, if there is one; of short words only one. */
export function closest(word: string, known: readonly string[]): string | undefined {
  const most = word.length > 4 ? 2 : 1;
  const [best] = known
    .map((each) => ({ each, slips: slipsBetween(word.toLowerCase(), each.toLowerCase()) }))
    .filter(({ slips }) => slips <= most)
    .toSorted((a, b) => a.slips - b.slips);
  return best?.each;
}

/** Letters added, left out, changed, or two of them swapped (optimal string alignment). */
function slipsBetween(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j]!, before[j - 2]! + 1);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}

async function parametersOf({ client, given, documentUrl }: ExplainContext): Promise<string[]> {
  const [command = ''] = given.words;
  const signal = AbortSignal.timeout(NAMES_MS);
  const path = IMAGE_PATHS[command];
  if (path === undefined) {
    const { video } = await client.operations({ signal });
    const { properties = {} } = (video.find(({ name }) => name === command)?.params ?? {}) as {
      properties?: object;
    };
    return [...Object.keys(properties), 'priority', 'webhook', 'metadata'];
  }
  const response = await fetch(documentUrl, { signal });
  const document = (await response.json()) as {
    paths: Record<string, Record<string, { parameters?: { name?: string; in?: string }[] }>>;
  };
  const { parameters = [] } = document.paths[path]?.['post'] ?? {};
  return parameters.flatMap(({ name, in: place }) => (place === 'query' && name !== undefined ? [name] : []));
}
