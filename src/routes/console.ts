// The console: its page, for browsers that ask for `/`, and its files below /console/.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { parseAccept } from '../lib/accept.ts';
import { matchesETag } from '../lib/byte-range.ts';
import { Problem } from '../problems.ts';
import type { ConsoleFile, ConsoleFiles } from './console-files.ts';

/** `/` is the page for whoever names HTML and wants it at least as much as JSON: programs send a wildcard or nothing. */
export function wantsPage(accept: string | undefined): boolean {
  const accepts = parseAccept(accept);
  const html = accepts('text/html');
  return html.named && html.weight > 0 && html.weight >= accepts('application/json').weight;
}

/** Answers with the console's page. */
export async function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  files: ConsoleFiles,
): Promise<FastifyReply> {
  const page = await files.page();
  void reply
    .header('content-security-policy', page.contentSecurityPolicy)
    .header('referrer-policy', 'no-referrer')
    .header('cross-origin-opener-policy', 'same-origin');
  return send(request, reply, page, 'accept, accept-encoding');
}

export async function consoleRoutes(
  app: FastifyInstance,
  { files }: { readonly files: ConsoleFiles },
): Promise<void> {
  app.get('/console', { config: { scope: 'public' }, schema: { hide: true } }, async (_, reply) =>
    reply.redirect('/', 302),
  );
  app.get(
    '/console/*',
    { config: { scope: 'public' }, schema: { hide: true } },
    async (request: FastifyRequest, reply) => {
      const { '*': path } = request.params as { '*': string };
      const file = await files.file(path);
      if (file === undefined) {
        throw new Problem(
          'route_not_found',
          `There is no ${JSON.stringify(path.slice(0, 60))} of the console.`,
        );
      }
      return send(request, reply, file, 'accept-encoding');
    },
  );
}

function send(request: FastifyRequest, reply: FastifyReply, file: ConsoleFile, vary: string): FastifyReply {
  const packs = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(request.headers['accept-encoding'] ?? '');
  // Each form has a tag of its own (RFC 9110, 8.8.3.3).
  const etag = packs ? file.etag.replace(/"$/, '-gzip"') : file.etag;
  // Asked about each time, so that a page never runs with files of another version.
  void reply.header('etag', etag).header('cache-control', 'no-cache').header('vary', vary);
  if (matchesETag(request.headers['if-none-match'], etag)) return reply.code(304).send();
  if (packs) void reply.header('content-encoding', 'gzip');
  return reply.header('content-type', file.mediaType).send(packs ? file.packed : file.bytes);
}
