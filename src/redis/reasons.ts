// Why a connection to Redis fails, in words for whoever must change something. Never holds a password.

/** What the error says. */
export function reasonOf(error: Error): string {
  // Of several addresses each has its own error, and the whole has no message.
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return inner instanceof Error ? inner.message : String(inner);
}

const AUTHENTICATION: readonly (readonly [RegExp, string])[] = [
  [/^NOAUTH/i, 'it asks for a password: put it into REDIS_URL (redis://user:password@host)'],
  [/^(?:WRONGPASS|ERR invalid password)/i, 'it does not know the user or the password of REDIS_URL'],
];
/** Others that do not change by waiting. */
const REFUSED = /^(?:NOPERM|ERR (?:AUTH|Client sent AUTH|DB index))/i;

/** What is said of an answer that does not change by waiting; undefined for any other. */
export function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const reason = reasonOf(error);
  const [, known] = AUTHENTICATION.find(([form]) => form.test(reason)) ?? [];
  if (known !== undefined) return known;
  return REFUSED.test(reason) ? `${reason.replace(/\.+$/, '')}: see REDIS_URL` : undefined;
}

/** To be said behind `reason` where an address asks for TLS and there may be none; else empty. */
export function tlsHint(url: string, reason: string): string {
  return /^rediss:/i.test(url) && /no answer|secure TLS|SSL|EPROTO/.test(reason)
    ? ' With rediss:// it is asked for TLS, which may be missing there: redis:// does without.'
    : '';
}
