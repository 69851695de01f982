// The secrets that sign what goes to an address which a job names itself: those of the settings, or a tenant's own, made of them.

import { createHmac } from 'node:crypto';
import { DEFAULT_TENANT } from '../jobs/job.ts';

/**
 * Of WEBHOOK_SECRETS for the tenant `default`, for each other tenant HMAC-SHA256 of each over `tenant:<name>`: signatures
 * are symmetric, so with one secret for all a tenant could have another's receiver told of its own jobs, and believed.
 */
export function ownSecretsOf(secrets: readonly string[], tenant: string): readonly string[] {
  if (tenant === DEFAULT_TENANT) return secrets;
  return secrets.map((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    return `whsec_${createHmac('sha256', key).update(`tenant:${tenant}`).digest('base64')}`;
  });
}
