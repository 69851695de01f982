// The server of the player's page: the page, hls.js, a folder of media, and a Mediamill behind /v1/, all of one origin.

import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer, request as ask } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, sep } from 'node:path';
import { finished, pipeline } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parseRange } from '../../src/lib/byte-range.ts';

export interface MediaPlace {
  /** Its files are served under /media/, as they are at the time of each request. */
  readonly folder?: string;
  /** Requests under /v1/ are passed on to this server, e.g. `http://127.0.0.1:3000`. So no CORS is needed. */
  readonly origin?: string;
}

/** A request that was answered, as far as its connection let it. */
export interface Asked {
  /** With its query. */
  readonly path: string;
  /** The `Range` header. */
  readonly range: string | undefined;
  readonly status: number;
}

export interface PlayerServer extends AsyncDisposable {
  /** E.g. `http://127.0.0.1:41231`. */
  readonly origin: string;
  /** In the order in which the answers ended. */
  readonly asked: readonly Asked[];
}

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>Player</title>
<link rel="icon" href="data:,">
<style>body { margin: 0 } video { display: block; max-width: 100vw; max-height: 100vh }</style>
<video muted playsinline preload="auto"></video>
<script src="/hls.js"></script>
<script src="/player.js"></script>`;

const SCRIPTS: Readonly<Record<string, string>> = {
  '/hls.js': fileURLToPath(import.meta.resolve('hls.js/dist/hls.min.js')),
  '/player.js': join(import.meta.dirname, 'player-script.js'),
};

/** RFC 8216 §4, RFC 4337, ISO/IEC 23009-1 and -19, WebVTT §11.1. */
const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.m3u8': 'application/vnd.apple.mpegurl',
  '.mpd': 'application/dash+xml',
  '.m4s': 'video/iso.segment',
  '.mp4': 'video/mp4',
  '.m4a': 'audio/mp4',
  '.webm': 'video/webm',
  '.ts': 'video/mp2t',
  '.vtt': 'text/vtt; charset=utf-8',
  '.mp3': 'audio/mpeg',
  '.ogg': 'audio/ogg',
  '.opus': 'audio/ogg',
  '.flac': 'audio/flac',
  '.wav': 'audio/wav',
  '.jpg': 'image/jpeg',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.gif': 'image/gif',
};

/** Listens on 127.0.0.1, on a port of its own. */
export async function servePlayer(place: MediaPlace): Promise<PlayerServer> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    finished(response, () => asked.push({ path, range: request.headers.range, status: response.statusCode }));
    answer(place, request, response).catch((error: NodeJS.ErrnoException) => {
      end(response, error.code === 'ENOENT' ? 404 : 500, error.message);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(
  { folder, origin }: MediaPlace,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://player.invalid');
  const script = SCRIPTS[pathname];
  if (pathname === '/') {
    response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE);
  } else if (script !== undefined) {
    response.writeHead(200, { 'content-type': 'text/javascript' }).end(await readFile(script));
  } else if (pathname.startsWith('/media/') && folder !== undefined) {
    const path = join(folder, decodeURIComponent(pathname.slice('/media/'.length)));
    if (!path.startsWith(join(folder, sep))) end(response, 403, 'outside of the folder');
    else await sendFile(path, request, response);
  } else if (pathname.startsWith('/v1/') && origin !== undefined) {
    passOn(origin, request, response);
  } else {
    end(response, 404, 'no such thing here');
  }
}

async function sendFile(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const file = await stat(path);
  if (!file.isFile()) return end(response, 404, 'not a file');
  const range = parseRange(request.headers.range, file.size);
  // A playlist that is still written must be read anew each time.
  response.setHeader('cache-control', 'no-store').setHeader('accept-ranges', 'bytes');
  if (range === 'unsatisfiable') {
    response.setHeader('content-range', `bytes */${file.size}`);
    return end(response, 416, 'outside of the file');
  }
  const { start, end: last } = range ?? { start: 0, end: file.size - 1 };
  response.writeHead(range === undefined ? 200 : 206, {
    'content-type': MEDIA_TYPES[extname(path)] ?? 'application/octet-stream',
    'content-length': last - start + 1,
    ...(range !== undefined && { 'content-range': `bytes ${start}-${last}/${file.size}` }),
  });
  if (request.method === 'HEAD' || file.size === 0) response.end();
  // A browser leaves the rest of a range unread as it likes: what comes of that is no failure.
  else pipeline(createReadStream(path, { start, end: last }), response, () => {});
}

/** The same request to another server, and its answer back as it comes. */
function passOn(origin: string, request: IncomingMessage, response: ServerResponse): void {
  const address = new URL(request.url ?? '/', origin);
  const outgoing = ask(address, {
    method: request.method,
    headers: { ...request.headers, host: address.host },
  });
  outgoing.once('response', (incoming) => {
    response.writeHead(incoming.statusCode ?? 502, incoming.rawHeaders);
    pipeline(incoming, response, () => {});
  });
  outgoing.once('error', (error) => end(response, 502, error.message));
  response.once('close', () => outgoing.destroy());
  request.pipe(outgoing);
}

function end(response: ServerResponse, status: number, why: string): void {
  if (response.headersSent) response.destroy();
  else response.writeHead(status, { 'content-type': 'text/plain' }).end(why);
}
