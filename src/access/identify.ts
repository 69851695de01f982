// From what a request carries to who is asking.

import { readCookie } from '../lib/cookie.ts';
import { Problem } from '../problems.ts';
import { ANYBODY, UNLIMITED } from './caller.ts';
import type { Caller } from './caller.ts';
import type { ApiKey, Keys } from './keys.ts';
import type { Sessions } from './sessions.ts';
import type { Tenants } from './tenants.ts';

export interface Credentials {
  readonly method: string;
  readonly headers: { readonly authorization?: string | undefined; readonly cookie?: string | undefined };
}

/** Who asks. Rejects `unauthenticated` where keys exist and none that holds was sent. */
export type Identify = (credentials: Credentials) => Promise<Caller>;

export const SESSION_COOKIE = 'mediamill_session';

export function createIdentify({
  keys,
  sessions,
  tenants,
}: {
  readonly keys: Pick<Keys, 'exist' | 'verify'>;
  readonly sessions: Pick<Sessions, 'verify'>;
  readonly tenants: Pick<Tenants, 'limitsOf'>;
}): Identify {
  const callerOf = async (
    { id, tenant, scopes }: ApiKey,
    sessionId: string | null = null,
  ): Promise<Caller> => ({
    tenant,
    keyId: id,
    sessionId,
    scopes: new Set(scopes),
    limits: await tenants.limitsOf(tenant),
  });
  return async ({ method, headers: { authorization, cookie } }) => {
    if (!(await keys.exist())) {
      // Whatever stands in Authorization is the business of a proxy in front.
      const limits = await tenants.limitsOf(ANYBODY.tenant);
      return limits === UNLIMITED ? ANYBODY : { ...ANYBODY, limits };
    }
    const bearer = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    if (bearer !== undefined) return callerOf(await keys.verify(bearer));
    // A page elsewhere can make a browser send a cookie, but a read gives it nothing: so it may only read.
    const session = method === 'GET' || method === 'HEAD' ? readCookie(cookie, SESSION_COOKIE) : undefined;
    // Other schemes may be the business of a proxy in front, which asks for a password of its own.
    const isKeyMissing = authorization !== undefined && /^bearer\b/i.test(authorization);
    if (session === undefined || isKeyMissing)
      throw needed(
        authorization === undefined
          ? 'This server asks for a key.'
          : 'The Authorization header holds no key.',
      );
    const opened = await sessions.verify(session);
    if (opened === undefined) throw needed('The session has ended.', 'error="invalid_token"');
    return callerOf(opened.key, opened.id);
  };
}

function needed(why: string, error?: string): Problem {
  return new Problem('unauthenticated', `${why} Send one as \`Authorization: Bearer mm_…\`.`, {
    headers: { 'www-authenticate': ['Bearer realm="mediamill"', error].filter(Boolean).join(', ') },
  });
}
