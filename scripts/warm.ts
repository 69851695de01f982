// Starts Mediamill once and uses it, so that NODE_COMPILE_CACHE holds its compiled code before the first real start.
// Run while the container is built; fails if the server does not get ready, as with a broken FFmpeg.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const DEADLINE_MS = 60_000;
/** The smallest PNG: one pixel. Rendering it loads what the image threads load. */
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAACXBIWXMAAAPoAAAD6AG1e1JrAAAADUlEQVQImWM402H8HwAGMgKHeGsw9gAAAABJRU5ErkJggg==',
  'base64',
);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

/** Resolves when the server can do its work; rejects with what it lacks when it could not in time. */
async function ready(origin: string, running: AbortSignal): Promise<void> {
  const until = Date.now() + DEADLINE_MS;
  let last = 'it does not answer';
  while (Date.now() < until) {
    running.throwIfAborted();
    try {
      const answer = await fetch(`${origin}/readyz`);
      if (answer.ok) return;
      last = await answer.text();
    } catch {
      // Not listening yet.
    }
    await delay(50);
  }
  throw new Error(`Mediamill did not get ready within ${DEADLINE_MS / 1000} s: ${last}`);
}

const data = await mkdtemp(join(tmpdir(), 'mediamill-warm-'));
const port = await freePort();
const exited = new AbortController();
const server = spawn(process.execPath, ['src/main.ts'], {
  cwd: resolve(import.meta.dirname, '..'),
  env: {
    ...process.env,
    HOST: '127.0.0.1',
    PORT: String(port),
    DATA_DIR: data,
    PROCESSES: '1',
    LOG_LEVEL: 'warn',
  },
  stdio: ['ignore', 'inherit', 'inherit'],
});
const exit = once(server, 'exit').then(([code]) => {
  exited.abort(new Error(`Mediamill ended with exit code ${code}`));
  return code as number | null;
});
try {
  const origin = `http://127.0.0.1:${port}`;
  await ready(origin, exited.signal);
  const answer = await fetch(`${origin}/v1/images?width=1&format=webp`, {
    method: 'POST',
    headers: { 'content-type': 'image/png' },
    body: PIXEL,
  });
  if (!answer.ok) throw new Error(`the image was answered ${answer.status}: ${await answer.text()}`);
  await answer.arrayBuffer();
} finally {
  // Its cache is written when it ends, and only if it ends by itself.
  server.kill('SIGTERM');
  const code = await exit;
  await rm(data, { recursive: true, force: true });
  if (code !== 0) process.exitCode = 1;
}
