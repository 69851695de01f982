import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { OWN_SECRET } from './site.ts';

const machine = { cores: 2, memoryBytes: 1 << 30 };

describe('the settings of webhooks', () => {
  it('are unset by default, and read when they are not', () => {
    expect(readConfig({}, machine)).not.toHaveProperty('WEBHOOK_SECRETS');
    const config = readConfig({ WEBHOOK_SECRETS: OWN_SECRET, WEBHOOK_HOSTS: 'hooks:9000' }, machine);
    expect(config.WEBHOOK_SECRETS).toEqual([OWN_SECRET]);
    expect(config.WEBHOOK_HOSTS?.(new URL('http://hooks:9000/'))).toBe(true);
  });

  it('never show a secret in a mistake', () => {
    const wrong = `${OWN_SECRET}!`;
    expect(() => readConfig({ WEBHOOK_SECRETS: wrong }, machine)).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^(?!.*BwcHBw)[^]*WEBHOOK_SECRETS: entry 1 is not whsec_/) as unknown,
      }),
    );
    expect(() => readConfig({ WEBHOOK_HOSTS: 'https://hooks' }, machine)).toThrow(
      '"https://hooks" is neither',
    );
  });
});
