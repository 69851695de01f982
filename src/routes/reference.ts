// /docs: the reference as a page, made once of the OpenAPI document; and /problems, where the `type` of problems leads.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { matchesETag } from '../lib/byte-range.ts';
import type { OpenApi } from '../reference/openapi.ts';
import { referencePage } from '../reference/page/page.ts';

/** Everything from here, and nothing that was not written by us. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const FILES = { 'reference.css': 'text/css', 'reference.js': 'text/javascript' } as const;
const folder = join(import.meta.dirname, '../reference/page');

interface Content {
  readonly bytes: Buffer;
  readonly packed: Buffer;
  readonly etag: string;
}

export async function referenceRoutes(app: FastifyInstance): Promise<void> {
  const open = { config: { scope: 'public' as const }, schema: { hide: true } };
  let page: Content | undefined;

  app.get('/docs', open, async (request, reply) => {
    // All routes are known only once the first request comes.
    page ??= contentOf(Buffer.from(referencePage(app.swagger() as unknown as OpenApi)));
    return answer(request, reply.header('content-security-policy', POLICY), page, 'text/html');
  });
  // A browser keeps the part behind `#`, which is the code.
  app.get('/problems', open, async (_request, reply) => reply.redirect('/docs', 302));
  for (const [name, mediaType] of Object.entries(FILES)) {
    const content = contentOf(readFileSync(join(folder, name)));
    app.get(`/docs/${name}`, open, async (request, reply) => answer(request, reply, content, mediaType));
  }
}

function contentOf(bytes: Buffer): Content {
  return { bytes, packed: gzipSync(bytes), etag: hash('sha1', bytes, 'base64url') };
}

function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  { bytes, packed, etag }: Content,
  mediaType: string,
): FastifyReply {
  const packs = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(request.headers['accept-encoding'] ?? '');
  // Each form has a tag of its own (RFC 9110, 8.8.3.3).
  const tag = packs ? `"${etag}-gzip"` : `"${etag}"`;
  // Asked for anew each time, and answered by 304: a new version is seen at once.
  void reply
    .header('etag', tag)
    .header('cache-control', 'no-cache')
    .header('vary', 'accept-encoding')
    .header('referrer-policy', 'no-referrer');
  if (matchesETag(request.headers['if-none-match'], tag)) return reply.code(304).send();
  if (packs) void reply.header('content-encoding', 'gzip');
  return reply.header('content-type', `${mediaType}; charset=utf-8`).send(packs ? packed : bytes);
}
