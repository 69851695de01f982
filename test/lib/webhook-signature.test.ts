import { describe, expect, it } from 'vitest';
import { newWebhookSecret, parseWebhookSecrets, webhookSignature } from '../../src/lib/webhook-signature.ts';

/** The example of the specification's own libraries. */
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const MESSAGE = {
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: 1_614_265_330,
  body: '{"test": 2432232314}',
};
const SIGNATURE = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';

describe('a signature', () => {
  it('is the one that receivers expect', () => {
    expect(webhookSignature(MESSAGE, [SECRET])).toBe(SIGNATURE);
  });

  it('is made with each secret, in their order', () => {
    const other = newWebhookSecret();
    const [first, second] = webhookSignature(MESSAGE, [other, SECRET]).split(' ');
    expect(second).toBe(SIGNATURE);
    expect(first).toMatch(/^v1,[A-Za-z0-9+/]{43}=$/);
    expect(first).not.toBe(second);
  });

  it('covers id, timestamp and every byte of the body', () => {
    const changed = [
      { ...MESSAGE, id: 'msg_2' },
      { ...MESSAGE, timestamp: MESSAGE.timestamp + 1 },
      { ...MESSAGE, body: `${MESSAGE.body} ` },
      { ...MESSAGE, body: '{"test": "é"}' },
    ].map((message) => webhookSignature(message, [SECRET]));
    expect(new Set([SIGNATURE, ...changed]).size).toBe(5);
  });
});

describe('secrets', () => {
  it('are read from a list, and new ones can be', () => {
    const fresh = newWebhookSecret();
    expect(Buffer.from(fresh.slice(6), 'base64')).toHaveLength(32);
    expect(parseWebhookSecrets(`${fresh}, ${SECRET}`)).toEqual([fresh, SECRET]);
  });

  it.each([
    ['no prefix', Buffer.alloc(32).toString('base64')],
    ['too short', `whsec_${Buffer.alloc(23).toString('base64')}`],
    ['too long', `whsec_${Buffer.alloc(65).toString('base64')}`],
    ['not base64', 'whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!'],
    ['empty', ''],
  ])('of a wrong form (%s) are refused by their place, never by what they say', (_what, entry) => {
    expect(() => parseWebhookSecrets(`${SECRET},${entry}`)).toThrow(/^entry 2 is not whsec_/);
    if (entry !== '') expect(() => parseWebhookSecrets(entry)).not.toThrow(entry);
  });
});
