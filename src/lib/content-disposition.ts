// The Content-Disposition header (RFC 6266, RFC 8187) for a name that a client chose.

/** A name that is safe in a header, a log and a download folder: no path, no control characters, at most 100 characters. */
export function cleanFileName(name: string): string | null {
  const base = name.split(/[\\/]/).at(-1) ?? '';
  // Bidirectional overrides make `exe.gpj` look like a picture.
  const safe = base.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '').trim();
  const cut = Array.from(safe).slice(0, 100).join('');
  return cut === '' || cut === '.' || cut === '..' ? null : cut;
}

/** `inline` with both forms of the name: plain ASCII for old clients, UTF-8 for the others. */
export function contentDisposition(name: string, type: 'inline' | 'attachment' = 'inline'): string {
  const ascii = name.replaceAll(/[^\x20-\x7e]/g, '_').replaceAll(/["\\%]/g, '_');
  const encoded = encodeURIComponent(name.toWellFormed()).replaceAll(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return ascii === name
    ? `${type}; filename="${ascii}"`
    : `${type}; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
