// What webhooks are sent: their messages in the OpenAPI document (`webhooks`, 3.1), and receivers that a test runs.

import type { Operation } from './openapi.ts';
import { exampleJob } from './operations/example-job.ts';

type Json = Record<string, unknown>;

const string = { type: 'string' } as const;

/** Standard Webhooks (https://www.standardwebhooks.com). */
const headers = {
  'webhook-id':
    'Of the message: the same for every attempt and replay, so that you know what you have already',
  'webhook-timestamp': 'Of the attempt, in seconds since 1970. Refuse what is more than five minutes off',
  'webhook-signature':
    '`v1,` and the base64 of HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}`, one for each secret, with spaces between them. The key is what stands behind `whsec_`, from base64',
} as const;

const withClient = `import { createServer } from 'node:http';
import { env } from 'node:process';
import { buffer } from 'node:stream/consumers';
import { verifyWebhook } from 'mediamill/client';

createServer(async (request, response) => {
  try {
    const body = await buffer(request);
    const { type, data } = await verifyWebhook(env.WEBHOOK_SECRET, request.headers, body);
    console.log(type, type === 'test' ? data.webhookId : data.id);
    response.writeHead(204).end();
  } catch {
    response.writeHead(400).end();
  }
}).listen(env.PORT);`;

const byHand = `import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { env } from 'node:process';
import { text } from 'node:stream/consumers';

const key = Buffer.from(env.WEBHOOK_SECRET.replace(/^whsec_/, ''), 'base64');

function isGenuine(headers, body) {
  const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signatures = '' } = headers;
  if (!(Math.abs(Date.now() / 1000 - Number(at)) < 300)) return false;
  const expected = createHmac('sha256', key).update(\`\${id}.\${at}.\${body}\`).digest();
  return signatures.split(' ').some((each) => {
    const given = Buffer.from(each.replace(/^v1,/, ''), 'base64');
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

createServer(async (request, response) => {
  const body = await text(request);
  if (!isGenuine(request.headers, body)) return response.writeHead(400).end();
  const { type, data } = JSON.parse(body);
  console.log(type, type === 'test' ? data.webhookId : data.id);
  response.writeHead(204).end();
}).listen(env.PORT);`;

/** In JavaScript, for Node: they read WEBHOOK_SECRET and PORT, and say the type and the id of what came. */
export const receivers: readonly {
  readonly lang: string;
  readonly label: string;
  readonly source: string;
}[] = [
  { lang: 'JavaScript', label: 'Node, with the client', source: withClient },
  { lang: 'JavaScript', label: 'Node, by hand', source: byHand },
];

interface Message {
  readonly id: string;
  readonly summary: string;
  readonly data: Json;
  readonly example: unknown;
}

const job = { $ref: '#/components/schemas/Job' };
const ended = {
  ...exampleJob,
  phase: 'done',
  finishedAt: '2026-11-22T12:00:30.000Z',
  speed: null,
  etaSeconds: null,
} as const;
const problem = {
  type: '/problems#video_unreadable',
  code: 'video_unreadable',
  status: 422,
  title: 'The video cannot be read',
  detail: 'The file has no video stream.',
};

const messages: Readonly<Record<string, Message>> = {
  'job.succeeded': {
    id: 'onJobSucceeded',
    summary: 'A job has succeeded',
    data: job,
    example: { ...ended, status: 'succeeded', progress: 1 },
  },
  'job.failed': {
    id: 'onJobFailed',
    summary: 'A job has failed',
    data: job,
    example: { ...ended, status: 'failed', problem },
  },
  'job.cancelled': {
    id: 'onJobCancelled',
    summary: 'A job was cancelled',
    data: job,
    example: { ...ended, status: 'cancelled' },
  },
  test: {
    id: 'onTest',
    summary: 'A message that was asked for by `POST /v1/webhooks/{id}/test`',
    data: { type: 'object', properties: { webhookId: string }, required: ['webhookId'] },
    example: { webhookId: '01m7zq8v3w6x9y2b4d6f8h0j2k4m6n8p0q2r' },
  },
};

/** The `webhooks` of the document, by event type. */
export function webhookMessages(): Record<string, { post: Operation }> {
  return Object.fromEntries(
    Object.entries(messages).map(([type, message]) => [type, { post: operation(type, message) }]),
  );
}

function operation(type: string, { id, summary, data, example }: Message): Operation {
  return {
    operationId: id,
    summary,
    description:
      'Posted to your address. An attempt that is not answered 2xx within 15 seconds is tried again, for three days; messages may come twice, and in another order.',
    tags: ['webhooks'],
    parameters: Object.entries(headers).map(([name, description]) => ({
      name,
      in: 'header',
      required: true,
      description,
      schema: string,
    })),
    requestBody: {
      description: 'What happened, when, and to what.',
      content: {
        'application/json': {
          schema: {
            type: 'object',
            properties: { type: { const: type }, timestamp: { ...string, format: 'date-time' }, data },
            required: ['type', 'timestamp', 'data'],
          },
          example: { type, timestamp: '2026-11-22T12:00:30.000Z', data: example },
        },
      },
    },
    responses: {
      '204': { description: 'It came. Any 2xx will do' },
      '410': { description: 'Nothing more shall come: the webhook is disabled' },
    },
    'x-codeSamples': receivers.map((each) => ({ ...each })),
  };
}
