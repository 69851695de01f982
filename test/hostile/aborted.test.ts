// Uploads that break off: two hundred of them leave no file, no descriptor and no counter behind.

import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, form } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { listJobs } from '../support/jobs.ts';
import { forksOf, HAS_PROC, openDescriptors } from '../support/processes.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';

const TIMES = 50;
const AT_ONCE = 10;

describe.skipIf(!HAS_PROC)('uploads that break off', () => {
  let program: Program;
  let picture: Buffer;
  let film: Buffer;
  beforeAll(async () => {
    // Every body that is lost keeps a place in the image queue until it is known to be lost.
    program = await startProgram({ IMAGE_QUEUE: '16', VIDEO_STREAMS: '64' });
    picture = await imageFixture({ width: 800, height: 600 });
    film = await readFile(await clipFixture({ seconds: 2, width: 640, height: 360, grain: true }));
  });
  afterAll(() => program?.[Symbol.asyncDispose]());

  const descriptors = (): number[] => forksOf(program.pid).map(openDescriptors);
  const unfinished = async (): Promise<string[]> =>
    (
      await readdir(join(program.dataDir, 'store'), { recursive: true, withFileTypes: true }).catch(
        // A folder that goes while it is looked into.
        () => [{ isFile: () => true, parentPath: '', name: 'unknown' }],
      )
    ).flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name)] : []));

  /** Sends the head and a part of the body (or more than the body), and breaks the connection. */
  const breakOff = async (
    path: string,
    headers: Record<string, string>,
    body: Buffer,
    share: number,
  ): Promise<void> => {
    const { port, hostname } = new URL(program.address);
    const socket = connect({ port: Number(port), host: hostname });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined); // the server may be first
    const lines = Object.entries({ host: 'localhost', ...headers, 'content-length': body.length });
    const head = `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
    const sent =
      share <= 1
        ? body.subarray(0, Math.floor(body.length * share))
        : Buffer.concat([body, Buffer.alloc(body.length / 100, 'x')]);
    await new Promise((resolve) => socket.write(Buffer.concat([Buffer.from(head), sent]), resolve));
    await turn();
    if (share > 1) socket.end();
    else socket.resetAndDestroy();
    socket.resume();
    await closed;
  };

  // A whole film would become a job, so what is sent whole is a picture, which the video routes refuse.
  const routes = [
    ['/v1/images?width=8', 'raw'],
    ['/v1/images?width=8', 'form'],
    ['/v1/videos', 'raw'],
    ['/v1/videos', 'form'],
    ['/v1/videos?delivery=stream', 'raw'],
  ] as const;
  it.each([0, 0.5, 0.99, 1.01])(
    `at %d of their length, ${TIMES} times on every route`,
    async (share) => {
      // Everything that is opened once and kept (threads, database) is opened now.
      await call(program.address, '/v1/images?width=8', { method: 'POST', body: picture });
      await call(program.address, '/v1/jobs');
      const before = descriptors();
      for (const [path, how] of routes) {
        const content = path.startsWith('/v1/videos') && share <= 1 ? film : picture;
        const { body, headers } =
          how === 'raw' ? { body: content, headers: {} } : form([{ name: 'file', filename: 'a', content }]);
        for (let done = 0; done < TIMES; done += AT_ONCE) {
          await Promise.all(Array.from({ length: AT_ONCE }, () => breakOff(path, headers, body, share)));
        }
      }
      await eventually('no file is left', async () => (await unfinished()).length === 0);
      await eventually('no descriptor is left', () =>
        descriptors().every((count, index) => count <= (before[index] ?? 0) + 2),
      );
      expect(await listJobs(program.address)).toEqual([]);
    },
    60_000,
  );

  it('give their places in the queue back', async () => {
    const answers = await Promise.all(
      Array.from({ length: 16 }, () =>
        call(program.address, '/v1/images?width=8', { method: 'POST', body: picture }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  });

  it('are nobody’s mistake', () => {
    expect(program.log.filter(({ level }) => level >= 40)).toEqual([]);
  });
});
