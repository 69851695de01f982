// The reference of /v1/webhooks and /v1/deliveries.

import type { OperationDocs } from '../operation-doc.ts';

const url = 'https://example.com/hooks/mediamill';
const json = { 'application/json': { schema: {} } } as const;

export const webhookDocs: OperationDocs = {
  'POST /v1/webhooks': {
    id: 'createWebhook',
    body: {
      description: 'Whom to tell, and of what',
      required: true,
      content: {
        'application/json': { schema: {}, example: { url, events: ['job.succeeded', 'job.failed'] } },
      },
    },
    answers: {
      201: {
        description:
          'The webhook, with its secret, which is shown in this answer and nowhere else: a repetition by the same Idempotency-Key leaves it out. Rotate it if it was lost',
        headers: ['Location'],
      },
    },
    errors: ['webhook_limit', 'malformed_json'],
    curl: `curl http://127.0.0.1:3000/v1/webhooks --json '{"url":"${url}","events":["job.succeeded","job.failed"]}'`,
    async script(mediamill) {
      const { secret } = await mediamill.webhooks.create({ url: 'https://example.com/hooks/mediamill' });
      console.log('for verifyWebhook(secret, headers, body):', secret);
    },
  },
  'GET /v1/webhooks': {
    id: 'listWebhooks',
    description: 'Those of your tenant, without their secrets.',
    answers: { 200: { description: 'All of them' } },
    curl: `curl http://127.0.0.1:3000/v1/webhooks`,
    async script(mediamill) {
      for (const { id, url: address } of await mediamill.webhooks.list()) console.log(id, address);
    },
  },
  'GET /v1/webhooks/secrets': {
    id: 'getWebhookSecrets',
    answers: { 200: { description: 'The secrets, the newest first' } },
    curl: `curl http://127.0.0.1:3000/v1/webhooks/secrets`,
    async script(mediamill) {
      console.log(await mediamill.webhooks.secrets());
    },
  },
  'GET /v1/webhooks/{id}': {
    id: 'getWebhook',
    description: 'Without its secret.',
    answers: { 200: { description: 'The webhook' } },
    errors: ['webhook_not_found'],
    curl: `curl "http://127.0.0.1:3000/v1/webhooks/$WEBHOOK"`,
    async script(mediamill, { webhook }) {
      const { disabledReason } = await mediamill.webhooks.get(webhook);
      console.log(disabledReason);
    },
  },
  'PATCH /v1/webhooks/{id}': {
    id: 'updateWebhook',
    description: 'What is not named stays as it is.',
    body: { description: 'What changes', required: true, content: json },
    answers: { 200: { description: 'The webhook as it is now' } },
    errors: ['webhook_not_found', 'malformed_json'],
    curl: `curl -X PATCH "http://127.0.0.1:3000/v1/webhooks/$WEBHOOK" --json '{"enabled":false}'`,
    async script(mediamill, { webhook }) {
      await mediamill.webhooks.update(webhook, { enabled: false });
    },
  },
  'DELETE /v1/webhooks/{id}': {
    id: 'removeWebhook',
    answers: { 204: { description: 'It is gone' } },
    errors: ['webhook_not_found'],
    curl: `curl -X DELETE "http://127.0.0.1:3000/v1/webhooks/$WEBHOOK"`,
    async script(mediamill, { webhook }) {
      await mediamill.webhooks.remove(webhook);
    },
  },
  'POST /v1/webhooks/{id}/rotate': {
    id: 'rotateWebhookSecret',
    body: {
      description: 'Whether the old secrets end at once',
      required: false,
      content: { 'application/json': { schema: {}, example: { revoke: true } } },
    },
    answers: { 200: { description: 'The webhook with its new secret' } },
    errors: ['webhook_not_found', 'webhook_secret_limit', 'malformed_json'],
    curl: `curl -X POST "http://127.0.0.1:3000/v1/webhooks/$WEBHOOK/rotate"`,
    async script(mediamill, { webhook }) {
      const { secret } = await mediamill.webhooks.rotate(webhook);
      console.log(secret);
    },
  },
  'POST /v1/webhooks/{id}/test': {
    id: 'testWebhook',
    description: 'The delivery tells what became of it.',
    answers: { 202: { description: 'The delivery, which is about to be tried', headers: ['Location'] } },
    errors: ['webhook_not_found', 'webhook_disabled'],
    curl: `curl -X POST "http://127.0.0.1:3000/v1/webhooks/$WEBHOOK/test"`,
    async script(mediamill, { webhook }) {
      const { id } = await mediamill.webhooks.test(webhook);
      console.log(await mediamill.webhooks.delivery(id));
    },
  },
  'GET /v1/webhooks/{id}/deliveries': {
    id: 'listWebhookDeliveries',
    answers: { 200: { description: 'A page of deliveries' } },
    errors: ['webhook_not_found'],
    curl: `curl "http://127.0.0.1:3000/v1/webhooks/$WEBHOOK/deliveries?limit=10"`,
    async script(mediamill, { webhook }) {
      for (const { status } of await mediamill.webhooks.sent(webhook)) console.log(status);
    },
  },
  'GET /v1/jobs/{id}/deliveries': {
    id: 'listDeliveries',
    answers: { 200: { description: 'All deliveries about the job' } },
    errors: ['job_not_found'],
    curl: `curl "http://127.0.0.1:3000/v1/jobs/$JOB/deliveries"`,
    async script(mediamill, { job }) {
      for (const { id } of await mediamill.webhooks.deliveries(job)) console.log(id);
    },
  },
  'GET /v1/deliveries/{id}': {
    id: 'getDelivery',
    description: 'Its attempts, and what the receiver answered.',
    answers: { 200: { description: 'The delivery' } },
    errors: ['delivery_not_found'],
    curl: `curl "http://127.0.0.1:3000/v1/deliveries/$DELIVERY"`,
    async script(mediamill, { delivery }) {
      console.log(await mediamill.webhooks.delivery(delivery));
    },
  },
  'POST /v1/deliveries/{id}/replay': {
    id: 'replayDelivery',
    answers: { 202: { description: 'The delivery, which is about to be tried' } },
    errors: ['delivery_not_found', 'webhook_not_found', 'webhook_disabled'],
    curl: `curl -X POST "http://127.0.0.1:3000/v1/deliveries/$DELIVERY/replay"`,
    async script(mediamill, { delivery }) {
      await mediamill.webhooks.replay(delivery);
    },
  },
};
