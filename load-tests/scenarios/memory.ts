// Memory: an upload must stream to the disk, so the server may not grow with its size.

import { Readable } from 'node:stream';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobView } from '../../src/jobs/job-view.ts';
import { check, checkEqual } from '../check.ts';
import { digits } from '../format.ts';
import { JobClient } from '../job-client.ts';
import { makeClip } from '../media.ts';
import { readTree, rssBytes } from '../process-tree.ts';
import { figure, interleave } from '../scenario.ts';
import type { Pace, Scenario } from '../scenario.ts';
import { startServer } from '../server-process.ts';
import { median } from '../statistics.ts';

export interface MemorySettings extends Pace {
  /** Of the upload. */
  readonly bytes: number;
}

const MB = 1e6;
/** Between two looks at the processes, in milliseconds. */
const LOOK_EVERY = 50;

interface Measured {
  readonly before: number;
  readonly peak: number;
  readonly seconds: number;
  /** Seconds since the upload began, and bytes. */
  readonly track: readonly (readonly [number, number])[];
}

export const memory: Scenario<MemorySettings> = {
  name: 'memory',
  title: 'Memory while a large video is uploaded',
  full: { rounds: 3, seconds: 0, bytes: 2e9 },
  quick: { rounds: 1, seconds: 0, bytes: 2e7 },
  async run({ rounds, bytes }, context) {
    const { folder, signal, progress, env } = context;
    progress.step('making the clip');
    // Its index stands in front (`+faststart`), so whatever comes behind it is only skipped.
    const head = await readFile((await makeClip(folder, { seconds: 1, height: 180 }, signal)).path);
    await using server = await startServer({ signal, env });
    const jobs = new JobClient(server.address, signal);

    const upload = async (size: number): Promise<Measured> => {
      const before = rssBytes(await readTree(server.pid));
      const begun = performance.now();
      const track: [number, number][] = [];
      const over = new AbortController();
      const watching = watch(server.pid, over.signal, (rss) => {
        track.push([(performance.now() - begun) / 1000, rss]);
      });
      const { id, source } = await send(
        `${server.address}/v1/videos?poster=false`,
        head,
        size,
        signal,
      ).finally(() => over.abort());
      const seconds = (performance.now() - begun) / 1000;
      await watching;
      checkEqual('bytes that arrived', source.bytes, size);
      // The proof that it was stored whole and is a video: it can be worked on.
      const { status, problem } = await jobs.finished(id);
      check(status === 'succeeded', `the uploaded video ${status}: ${JSON.stringify(problem)}`);
      await jobs.remove(id);
      return { before, peak: Math.max(...track.map(([, rss]) => rss)), seconds, track };
    };

    progress.step('warming up');
    // On all processes: what each loads at its first upload does not depend on the upload's size.
    for (let i = 0; i < server.processes * 2; i++) await upload(head.length + 1e6);
    const { uploads } = await interleave(rounds, context, { uploads: () => upload(bytes) });
    await server.stop();

    const growth = uploads.map(({ peak, before }) => (peak - before) / MB);
    const speed = median(uploads.map(({ seconds }) => bytes / MB / seconds));
    return {
      figures: [
        figure('memory during an upload', growth, {
          unit: 'MB',
          target: { op: '≤', value: 96 },
          measured: `${digits(median(uploads.map(({ peak }) => peak / MB)))} MB at most, at ${digits(speed)} MB/s`,
          floor: `${digits(median(uploads.map(({ before }) => before / MB)))} MB before`,
        }),
      ],
      charts: [
        {
          title: `Memory of the process tree during an upload of ${digits(bytes / MB)} MB`,
          x: { label: 'seconds' },
          y: { label: 'MB' },
          series: uploads.map(({ track }, i) => ({
            name: `upload ${i + 1}`,
            points: track.map(([at, rss]): [number, number] => [at, rss / MB]),
          })),
        },
      ],
      notes: [
        `Body: a small MP4 and behind it a free box, ${bytes.toLocaleString('en')} bytes in all, as a raw body. Resident memory of all processes of the server, looked at every ${LOOK_EVERY} ms until the answer; pages that processes share count in each.`,
      ],
    };
  },
};

async function watch(pid: number, signal: AbortSignal, seen: (rss: number) => void): Promise<void> {
  for (;;) {
    seen(rssBytes(await readTree(pid)));
    if (signal.aborted) return;
    await delay(LOOK_EVERY, undefined, { signal }).catch(() => {});
  }
}

async function send(url: string, head: Buffer, size: number, signal: AbortSignal): Promise<JobView> {
  const call = request(url, {
    method: 'POST',
    signal,
    headers: { 'content-type': 'video/mp4', 'content-length': size, connection: 'close' },
  });
  const body = Readable.from(padded(head, size), { objectMode: false, highWaterMark: 1 << 20 });
  // The server may answer, with a refusal, before it has read all: that answer is what counts.
  body.pipe(call.on('error', () => body.destroy()));
  const [answer] = (await once(call, 'response', { signal })) as [IncomingMessage];
  const job = await json(answer);
  check(answer.statusCode === 202, `the upload was answered ${answer.statusCode}: ${JSON.stringify(job)}`);
  return job as JobView;
}

/** A file and behind it a free box (ISO/IEC 14496-12, 8.1.2) that makes it `size` bytes: at most 4 GiB. */
function* padded(head: Buffer, size: number): Generator<Buffer> {
  const box = Buffer.alloc(8);
  box.writeUInt32BE(size - head.length, 0);
  box.write('free', 4, 'latin1');
  yield head;
  yield box;
  const chunk = Buffer.alloc(256 * 1024, 0xa5);
  for (let left = size - head.length - box.length; left > 0; left -= chunk.length)
    yield chunk.subarray(0, left);
}
