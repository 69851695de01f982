// What every answer with a rendition says of it.

import type { FastifyReply } from 'fastify';
import type { RenderedImage } from '../engine-contracts.ts';
import { decisionsHeader } from '../lib/decisions-header.ts';

/** Its type, its size in pixels, what was decided for it, and whether `maxBytes` was held. */
export function describeRendition(
  reply: FastifyReply,
  { mediaType, width, height, decisions, fits }: Omit<RenderedImage, 'data'>,
): FastifyReply {
  if (decisions.length > 0) void reply.header('mediamill-decisions', decisionsHeader(decisions));
  if (fits !== undefined) void reply.header('mediamill-max-bytes', fits ? 'reached' : 'unreachable');
  return reply.header('content-type', mediaType).header('mediamill-size', `${width}x${height}`);
}
