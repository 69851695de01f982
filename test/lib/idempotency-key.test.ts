import { describe, expect, it } from 'vitest';
import { parseIdempotencyKey } from '../../src/lib/idempotency-key.ts';

describe('an Idempotency-Key', () => {
  it.each([
    ['"8e03978e-40d5-43e8-bc93-6894a57f9324"', '8e03978e-40d5-43e8-bc93-6894a57f9324'],
    ['8e03978e-40d5-43e8-bc93-6894a57f9324', '8e03978e-40d5-43e8-bc93-6894a57f9324'],
    ['"two words, and \\"more\\" \\\\"', 'two words, and "more" \\'],
    ['aGVsbG8+/w==', 'aGVsbG8+/w=='],
    [`"${'x'.repeat(255)}"`, 'x'.repeat(255)],
  ])('%s is %s', (header, key) => {
    expect(parseIdempotencyKey(header)).toBe(key);
  });

  it.each([
    '',
    '""',
    '"',
    '"a',
    'a b',
    'a, b',
    '"a", "b"',
    '"a";b=1',
    'é',
    '"\t"',
    'x'.repeat(256),
    '"a\\b"',
  ])('is never %j', (header) => {
    expect(() => parseIdempotencyKey(header)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });
});
