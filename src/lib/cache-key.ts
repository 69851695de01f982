// What renditions are called in the cache, and how long they are fresh there.

import { hash } from 'node:crypto';

const mark = (text: string): string => hash('sha256', text).slice(0, 32);

/** Whether a text is a mark. It is the name of a folder: nothing else may become one. */
export function isMark(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}

/** The same source has one name, however it is written: its renditions lie together in the cache. */
export function normalReference(source: string): string {
  const url = /^https:/i.test(source) ? URL.parse(source) : null;
  if (url === null) return source;
  url.hash = '';
  return url.href;
}

/** The part of all renditions of a tenant's source: its reference, `upload:{id}` or a URL. */
export function sourceMark(reference: string, tenant: string): string {
  // A tenant's name has no line break, so no two pairs look the same.
  return mark(`${tenant}\n${reference}`);
}

/** Of one way to render it: everything that decides how the result looks. */
export function variantMark(parts: unknown): string {
  return mark(JSON.stringify(parts));
}

/** A strong ETag (RFC 9110, 8.8.3) for the rendition `variant` of a version of `source`. */
export function renditionTag(
  key: { readonly source: string; readonly variant: string },
  version: string,
): string {
  return `"${hash('sha256', `${key.source}/${key.variant}/${version}`, 'base64url').slice(0, 27)}"`;
}

/** `now` and `storedAt` in milliseconds since 1970. */
export function isFresh(
  entry: { readonly storedAt: number; readonly facts: { readonly freshMs: number | null } },
  now: number,
): boolean {
  return entry.facts.freshMs === null || now < entry.storedAt + entry.facts.freshMs;
}
