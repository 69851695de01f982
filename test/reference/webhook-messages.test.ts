// What webhooks are sent is documented as it comes, and the receivers of the reference take it and nothing else.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newWebhookSecret, webhookSignature } from '../../src/lib/webhook-signature.ts';
import type { OpenApi } from '../../src/reference/openapi.ts';
import { receivers } from '../../src/reference/webhook-messages.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { holdAgainst } from './json-schema.ts';

const secret = newWebhookSecret();
let server: TestServer;
let document: OpenApi;
let folder: string;

beforeAll(async () => {
  server = await startTestServer();
  document = (await (await server.request('/openapi.json')).json()) as OpenApi;
  folder = await mkdtemp(join(tmpdir(), 'mediamill-receivers-'));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const messages = (): [string, { schema: unknown; example: { type: string; data: object } }][] =>
  Object.entries(document.webhooks).map(([type, { post }]) => [
    type,
    post.requestBody?.content['application/json'] as never,
  ]);

describe('the messages', () => {
  it('are those of the server, with examples that fit', () => {
    expect(messages().map(([type]) => type)).toEqual([
      'job.succeeded',
      'job.failed',
      'job.cancelled',
      'test',
    ]);
    for (const [type, { schema, example }] of messages()) {
      holdAgainst(document, schema, example);
      expect(example.type).toBe(type);
      const bad = { ...example, data: {} };
      expect(() => holdAgainst(document, schema, bad)).toThrow();
    }
  });

  it('have the three headers', () => {
    for (const { post } of Object.values(document.webhooks))
      expect(post.parameters?.map(({ name }) => name)).toEqual([
        'webhook-id',
        'webhook-timestamp',
        'webhook-signature',
      ]);
  });

  it('are shown at /docs, with the receivers', async () => {
    const page = await (await server.request('/docs')).text();
    for (const [type, { post }] of Object.entries(document.webhooks)) {
      expect(page).toContain(`id="${post.operationId}"`);
      expect(page).toContain(`<code>${type}</code>`);
    }
    for (const { label } of receivers) expect(page).toContain(`<figcaption>${label}</figcaption>`);
  });
});

describe.each(receivers)('the receiver "$label"', ({ source }) => {
  it('takes what is signed, and refuses what is not', async () => {
    const client = pathToFileURL('src/client/mediamill.ts').href;
    const port = await freePort();
    const path = join(folder, `receiver-${port}.mjs`);
    await writeFile(path, source.replace('mediamill/client', client));
    const child = spawn(process.execPath, [path], {
      env: { PATH: process.env['PATH'], WEBHOOK_SECRET: secret, PORT: String(port) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    try {
      await eventually('the receiver', () =>
        fetch(`http://127.0.0.1:${port}`, { method: 'POST' }).then(
          () => true,
          () => false,
        ),
      );
      for (const [type, { example }] of messages()) {
        const body = JSON.stringify(example);
        expect(await post(port, body)).toBe(204);
        const { id, webhookId } = example.data as { id?: string; webhookId?: string };
        expect((await lines.next()).value).toBe(`${type} ${id ?? webhookId}`);
        expect(await post(port, body, { by: newWebhookSecret() })).toBe(400);
        expect(await post(port, body, { sent: `${body} ` })).toBe(400);
        expect(await post(port, body, { at: Date.now() / 1000 - 400 })).toBe(400);
      }
    } finally {
      child.kill();
      await exited;
    }
  });
});

async function post(
  port: number,
  body: string,
  { by = secret, sent = body, at = Date.now() / 1000 } = {},
): Promise<number> {
  const timestamp = Math.floor(at);
  const headers = {
    'content-type': 'application/json',
    'webhook-id': 'msg-1',
    'webhook-timestamp': String(timestamp),
    'webhook-signature': webhookSignature({ id: 'msg-1', timestamp, body }, [newWebhookSecret(), by]),
  };
  return (await fetch(`http://127.0.0.1:${port}`, { method: 'POST', headers, body: sent })).status;
}
