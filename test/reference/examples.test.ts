// Every example of the reference is run as it stands, and what comes back is held against what is documented.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { connect } from '../../src/client/mediamill.ts';
import type { Mediamill } from '../../src/client/mediamill.ts';
import { signedPath } from '../../src/lib/signed-url.ts';
import type { OpenApi } from '../../src/reference/openapi.ts';
import type { SampleIds } from '../../src/reference/operation-doc.ts';
import { operationDocs } from '../../src/reference/operation-docs.ts';
import { clipFixture, FFMPEG, imageFixture } from '../support/fixtures.ts';
import { script } from '../engines/video-fixtures.ts';
import { startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { holdAgainst } from './json-schema.ts';

const run = promisify(execFile);
/** 32 bytes, as the setting wants them. */
const SIGNING_KEY = Buffer.alloc(32, 7).toString('hex');

let server: TestServer;
let client: Mediamill;
let document: OpenApi;
let folder: string;
let photo: Buffer;
const home = process.cwd();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-examples-'));
  // Takes a second for each second of an AVI, and next to no CPU.
  const slow = await script(
    join(folder, 'slow'),
    `case "$*" in *'-format_whitelist avi '*) exec '${FFMPEG}' -re "$@";; esac\nexec '${FFMPEG}' "$@"`,
  );
  server = await startTestServer({ URL_KEYS: `k1:${SIGNING_KEY}`, FFMPEG_PATH: slow });
  client = connect({ url: server.url });
  document = (await (await server.request('/openapi.json')).json()) as OpenApi;
  photo = await imageFixture({ width: 800, height: 600 });
  await writeFile(join(folder, 'photo.jpg'), photo);
  const clip = await clipFixture({ seconds: 1, width: 160, height: 90, fps: 10 });
  await writeFile(join(folder, 'clip.mp4'), await readFile(clip));
  // What came is told in files, so that the examples themselves stay as people write them.
  await writeFile(join(folder, '.curlrc'), 'silent\nshow-error\ndump-header = "head.txt"\n');
});
afterEach(async ({ task }) => {
  if (task.suite?.name.startsWith('DELETE ')) made.clear();
  // Of the jobs that follow nobody is to be told.
  for (const { id } of await client.webhooks.list()) await client.webhooks.remove(id);
});
afterAll(async () => {
  process.chdir(home);
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const needs: { [Name in keyof SampleIds]: () => Promise<string> } = {
  async job() {
    const recipe = {
      outputs: { video: { type: 'transcode' }, poster: { type: 'thumbnail' }, strip: { type: 'storyboard' } },
    } as const;
    const clip = new Blob([await readFile(join(folder, 'clip.mp4'))]);
    const job = await client.wait(await client.job({ source: clip, recipe }));
    expect(job.status).toBe('succeeded');
    return job.id;
  },
  async running() {
    // One that takes longer than any example, whatever else the machine does.
    const wish = { seconds: 60, width: 160, height: 90, fps: 10, codecs: 'old', container: 'avi' } as const;
    const clip = await readFile(await clipFixture(wish));
    const { id } = await client.video(new Blob([clip]), { poster: false });
    return id;
  },
  async upload() {
    const response = await server.request('/v1/uploads', {
      method: 'POST',
      body: (await imageFixture({ width: 320, height: 240 })) as Uint8Array<ArrayBuffer>,
    });
    return ((await response.json()) as { id: string }).id;
  },
  async webhook() {
    return (await client.webhooks.create({ url: 'https://receiver.invalid/hook' })).id;
  },
  async delivery() {
    return (await client.webhooks.test(await needs.webhook())).id;
  },
};

async function partialUpload(): Promise<string> {
  const response = await server.request('/v1/uploads', {
    method: 'POST',
    headers: { 'tus-resumable': '1.0.0', 'upload-length': String(photo.length) },
  });
  return response.headers.get('location')?.split('/').at(-1) ?? '';
}

/** What earlier examples made does for later ones, until one of them ends it. */
const made = new Map<keyof SampleIds, string>();

async function idOf(name: keyof SampleIds): Promise<string> {
  const id = made.get(name) ?? (await needs[name]());
  if (name === 'job' || name === 'upload') made.set(name, id);
  return id;
}

async function environmentOf(text: string): Promise<Record<string, string>> {
  const environment: Record<string, string> = {};
  for (const name of Object.keys(needs) as (keyof SampleIds)[])
    if (text.includes(`$${name.toUpperCase()}`)) environment[name.toUpperCase()] = await idOf(name);
  if (text.includes('$PARTIAL')) environment['PARTIAL'] = await partialUpload();
  if (text.includes('$SIGNED_PATH')) {
    const [key] = server.config.URL_KEYS ?? [];
    const address = { options: new Map([['width', '100']]), source: `upload:${await idOf('upload')}` };
    environment['SIGNED_PATH'] = signedPath(address, { key: key! });
  }
  return environment;
}

describe.each(Object.entries(operationDocs))('%s', (name, { curl, more = [], script }) => {
  const [method = '', path = ''] = name.split(' ');

  it('does in a shell what is documented', async () => {
    const operation = document.paths[path]?.[method.toLowerCase()];
    expect(operation, 'the server has no such operation').toBeDefined();
    const text = curl.replaceAll('http://127.0.0.1:3000', server.url);
    const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', text], {
      cwd: folder,
      encoding: 'buffer',
      env: { ...process.env, HOME: folder, CURL_HOME: folder, ...(await environmentOf(text)) },
      maxBuffer: 64 * 1024 * 1024,
    });
    const heads = (await readFile(join(folder, 'head.txt'), 'latin1'))
      .split('\r\n\r\n')
      .filter((head) => head.startsWith('HTTP/'));
    const head = heads.at(-1) ?? '';
    const [, status = ''] = /^HTTP\/[\d.]+ (\d+)/.exec(head) ?? [];
    const answer = operation?.responses[status];
    expect(Number(status), `${head}\n${stdout.toString()}`).toBeLessThan(400);
    expect(answer, `${status} is not documented`).toBeDefined();
    const type = /^content-type: ([^;\r\n]+)/im.exec(head)?.[1];
    const types = Object.keys(answer?.content ?? {});
    if (type !== undefined && types.length > 0) expect(types).toContain(type);
    if (type === 'application/json')
      holdAgainst(document, answer?.content?.['application/json']?.['schema'], JSON.parse(stdout.toString()));
    for (const header of Object.keys(answer?.headers ?? {}).filter((each) => ALWAYS.has(each)))
      expect(head.toLowerCase()).toContain(`\n${header.toLowerCase()}: `);
  });

  it.each(more)('does in a shell: $label', async ({ curl: text }) => {
    const { stdout } = await run(
      'bash',
      ['-euo', 'pipefail', '-c', text.replaceAll('http://127.0.0.1:3000', server.url)],
      {
        cwd: folder,
        env: { ...process.env, HOME: folder, CURL_HOME: folder },
      },
    );
    const schema =
      document.paths[path]?.[method.toLowerCase()]?.responses['201']?.content?.['application/json']?.[
        'schema'
      ];
    const last = JSON.parse(stdout.slice(stdout.lastIndexOf('\n') + 1)) as object;
    holdAgainst(document, schema, last);
    expect(last).toMatchObject({ status: 'complete', name: 'photo.jpg', bytes: photo.length });
  });

  it.skipIf(script === null)('does with the client what is documented', async () => {
    const text = script?.toString() ?? '';
    const asked = (Object.keys(needs) as (keyof SampleIds)[]).filter((each) =>
      new RegExp(`\\{[^}]*\\b${each}\\b[^}]*\\}\\) (?:=> )?\\{`).test(text.split('\n')[0] ?? ''),
    );
    const ids: Record<string, string> = {};
    for (const each of asked) ids[each] = await idOf(each);
    vi.spyOn(console, 'log').mockImplementation(() => undefined);
    process.chdir(folder);
    try {
      await script?.(client, ids as unknown as SampleIds);
    } finally {
      process.chdir(home);
      vi.restoreAllMocks();
    }
  });
});

/** Headers that an answer has whatever was asked. */
const ALWAYS = new Set(['X-Request-Id', 'Location', 'Mediamill-Size', 'Content-Range']);
