// Which addresses webhooks may be sent to. Names are looked up, and their addresses checked, when it is connected to them.

import { isIP } from 'node:net';
import type { Config } from '../config.ts';
import { isPublicAddress } from '../lib/address-guard.ts';
import { Problem } from '../problems.ts';

export const MAX_URL_LENGTH = 2000;

/**
 * The URL of a receiver that a client has named. Throws Problem `invalid_request`, naming `field`. By https, or by http
 * to the hosts of WEBHOOK_HOSTS, which alone may be inside one's own network.
 */
export function assertWebhookUrl(
  text: string,
  { WEBHOOK_HOSTS: isOwn = () => false }: Pick<Config, 'WEBHOOK_HOSTS'>,
  field = 'webhook',
): URL {
  const wrong = (message: string): Problem =>
    new Problem('invalid_request', `${field}: ${message}`, { errors: [{ field, message }] });
  if (text.length > MAX_URL_LENGTH) throw wrong(`must be at most ${MAX_URL_LENGTH} characters long`);
  const url = URL.parse(text);
  if (url === null) throw wrong('must be an absolute URL, such as https://example.com/hooks');
  if (url.username !== '' || url.password !== '')
    throw wrong('must have no user name and no password; every message is signed instead');
  if (isOwn(url)) return url;
  if (url.protocol !== 'https:') throw wrong('must begin with https://');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
  if (host === 'localhost' || host.endsWith('.localhost') || (isIP(host) !== 0 && !isPublicAddress(host)))
    throw wrong('must be a public address: nothing is sent into the network of the server');
  return url;
}

/** The same for the `webhook` of a job, which is signed with WEBHOOK_SECRETS. Throws `webhooks_unconfigured` where there are none. */
export function assertJobWebhook(
  text: string,
  config: Pick<Config, 'WEBHOOK_HOSTS' | 'WEBHOOK_SECRETS'>,
): URL {
  const url = assertWebhookUrl(text, config);
  if (config.WEBHOOK_SECRETS === undefined) {
    throw new Problem(
      'webhooks_unconfigured',
      'webhook: this server has no WEBHOOK_SECRETS to sign messages of single jobs with. Register the address by POST /v1/webhooks instead, which gives it a secret of its own.',
    );
  }
  return url;
}
