// What the key that one signed in with may do.

import type { Session } from './api.ts';

/** Which of the scopes it lacks; none where the server asks for no key. */
export function lacking(session: Session | undefined, scopes: readonly string[]): readonly string[] {
  return session?.required === true ? scopes.filter((scope) => !session.scopes.includes(scope)) : [];
}
