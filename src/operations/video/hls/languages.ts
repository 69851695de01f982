// Languages of sound and subtitles: as players compare them, and as people read them in a menu.

/**
 * The BCP 47 tag of an ISO 639 code, two or three lower-case letters: `eng` is `en` (RFC 5646, 2.2.1: the shortest).
 * Null for anything else, and for codes that name no language.
 */
export function languageTag(code: string | null): string | null {
  if (code === null || !/^[a-z]{2,3}$/.test(code) || /^(?:und|mis|mul|zxx)$/.test(code)) return null;
  return Intl.getCanonicalLocales(code)[0] ?? null;
}

/**
 * Names for a menu, one for each track, in English and all different, which HLS demands of a group
 * (RFC 8216, 4.3.4.1.1): `English`, `English 2`, `Sound 3`.
 */
export function trackNames(
  languages: readonly (string | null)[],
  otherwise: 'Sound' | 'Subtitles',
): string[] {
  const display = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'none' });
  const seen = new Map<string, number>();
  return languages.map((code, index) => {
    const tag = languageTag(code);
    const name = tag === null ? undefined : display.of(tag);
    if (name === undefined) return `${otherwise} ${index + 1}`;
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name} ${count}`;
  });
}
