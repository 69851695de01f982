// What the address of a Redis may look like: a `/`, `#` or `?` in a password would end it there, unseen.

/** What is wrong with it, for people, after its name; undefined for one that can be used. Never holds a part of it. */
export function redisUrlMistake(url: string): string | undefined {
  if (!/^rediss?:\/\//i.test(url)) return 'must be `redis://…`, or `rediss://…` for TLS';
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isWhole =
    parsed !== undefined &&
    /^\/?\d*$/.test(parsed.pathname) &&
    parsed.hash === '' &&
    !parsed.search.includes('@') &&
    isEncoded(parsed.username + parsed.password);
  return isWhole
    ? undefined
    : 'must be `redis://user:password@host:6379/0`; percent-encode `/`, `#`, `?`, `%` and `@` in the password (`%2F`, `%23`, `%3F`, `%25`, `%40`)';
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
