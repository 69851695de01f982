import { createHmac } from 'node:crypto';
import { expect, it } from 'vitest';
import { parseWebhookSecrets } from '../../src/lib/webhook-signature.ts';
import { ownSecretsOf } from '../../src/webhooks/own-secrets.ts';

const secrets = [1, 2].map((byte) => `whsec_${Buffer.alloc(24, byte).toString('base64')}`);

it('gives the tenant `default` those of the settings, and each other one its own', () => {
  expect(ownSecretsOf(secrets, 'default')).toEqual(secrets);
  const [acme, other] = [ownSecretsOf(secrets, 'acme'), ownSecretsOf(secrets, 'other')];
  const all = [...secrets, ...acme, ...other];
  expect(new Set(all).size).toBe(6);
  expect(parseWebhookSecrets(all.join(','))).toEqual(all);
  // As it is documented, for whoever makes them himself.
  const expected = createHmac('sha256', Buffer.alloc(24, 1)).update('tenant:acme').digest('base64');
  expect(acme[0]).toBe(`whsec_${expected}`);
});
