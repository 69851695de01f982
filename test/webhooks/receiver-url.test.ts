import { describe, expect, it } from 'vitest';
import { parseReceiverHosts } from '../../src/lib/receiver-hosts.ts';
import { assertJobWebhook, assertWebhookUrl } from '../../src/webhooks/receiver-url.ts';
import { OWN_SECRET } from './site.ts';

const config = { WEBHOOK_HOSTS: undefined, WEBHOOK_SECRETS: [OWN_SECRET] };

describe('the address of a receiver', () => {
  it.each(['https://example.com/hooks?token=1', 'https://example.com:8443/', 'https://93.184.216.34/'])(
    '%s is taken',
    (text) => {
      expect(assertWebhookUrl(text, config).href).toBe(text);
    },
  );

  it.each([
    ['http://example.com/', 'https://'],
    ['ftp://example.com/', 'https://'],
    ['/hooks', 'an absolute URL'],
    ['https://me:secret@example.com/', 'user name'],
    ['https://me@example.com/', 'user name'],
    ['https://localhost/', 'public address'],
    ['https://localhost./', 'public address'],
    ['https://a.localhost/', 'public address'],
    ['https://127.0.0.1/', 'public address'],
    ['https://0x7f.1/', 'public address'],
    ['https://10.0.0.1/', 'public address'],
    ['https://169.254.169.254/latest', 'public address'],
    ['https://[::1]/', 'public address'],
    ['https://[::ffff:10.0.0.1]/', 'public address'],
    [`https://example.com/${'x'.repeat(2000)}`, '2000 characters'],
  ])('%s is refused', (text, why) => {
    expect(() => assertWebhookUrl(text, config, 'url')).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        errors: [{ field: 'url', message: expect.stringContaining(why) as unknown }],
      }),
    );
  });

  it('may be inside the network where the operator says so, and nowhere else', () => {
    const own = { ...config, WEBHOOK_HOSTS: parseReceiverHosts('localhost:9000') };
    expect(assertWebhookUrl('http://localhost:9000/x', own).port).toBe('9000');
    expect(() => assertWebhookUrl('http://localhost:9001/x', own)).toThrow('https://');
    expect(() => assertWebhookUrl('http://me@localhost:9000/x', own)).toThrow('user name');
  });
});

it('of a single job needs secrets to sign with', () => {
  expect(assertJobWebhook('https://example.com/', config).href).toBe('https://example.com/');
  expect(() => assertJobWebhook('https://example.com/', { ...config, WEBHOOK_SECRETS: undefined })).toThrow(
    expect.objectContaining({ code: 'webhooks_unconfigured' }),
  );
  expect(() => assertJobWebhook('http://example.com/', { ...config, WEBHOOK_SECRETS: undefined })).toThrow(
    expect.objectContaining({ code: 'invalid_request' }),
  );
});
