// The round of chunks: a long encode is killed again and again, and none of its finished chunks may be made twice.

import { mkdtemp, readFile, readdir, rm, writeFile, chmod, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFinished } from '../../src/jobs/job.ts';
import { call } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { ffmpegFixture, FFMPEG } from '../support/fixtures.ts';
import { jobIn } from '../support/jobs.ts';
import { seededRandom } from '../support/random.ts';
import { reckon } from './round.ts';
import type { Report } from './round.ts';
import { openSite } from './site.ts';
import type { Fault, Site } from './site.ts';

export interface ChunkRound {
  readonly seed: number;
  /** Kills while it encodes; fewer than JOB_ATTEMPTS, so that the job may not fail by them. */
  readonly kills: number;
  /** Length of the video; a chunk is of ten. */
  readonly seconds: number;
  readonly signal: AbortSignal;
}

const LINES = 90;
const PATIENCE_MS = 120_000;

/** Kills at random moments; each is only sent while the job runs. */
export async function chunkRound({ seed, kills, seconds, signal }: ChunkRound): Promise<Report> {
  const begun = performance.now();
  const random = seededRandom(seed);
  const notes = await mkdtemp(join(tmpdir(), 'mediamill-chunk-notes-'));
  try {
    const recorder = await recordChunks(notes);
    await using site = await openSite({ FFMPEG_PATH: recorder, JOB_ATTEMPTS: '10', PROCESSES: '2' });
    const id = await postFilm(site, seconds);
    const watch = new Watch(site, id);
    let sent = 0;
    while (sent < kills && !(await watch.isOver())) {
      // Some kills shall come when chunks are finished, or there would be nothing to lose.
      await sleep(random.between(100, 900), undefined, { signal });
      await watch.look();
      const fault = random.pick<Fault>(['process', 'encoder', 'encoder', 'primary']);
      if (await site.hurt(fault, random)) sent++;
      await watch.look();
    }
    await watch.end();
    const job = {
      id,
      name: 'the film in chunks',
      outputs: { video: { kind: 'film', seconds, width: (LINES * 16) / 9, height: LINES } as const },
    };
    const { violations, ...rest } = await reckon(site, [job]);
    const again = await encodedAgain(notes, watch.kept);
    if (watch.kept.size === 0) again.push('no chunk was seen on the shelf: the round proves nothing');
    return {
      name: `chunks ${seed}`,
      jobs: 1,
      kills: site.kills,
      broken: 0,
      ...rest,
      orphanMs: Math.round(site.longestOrphanMs),
      seconds: (performance.now() - begun) / 1000,
      violations: [...violations, ...again],
    };
  } finally {
    await rm(notes, { recursive: true, force: true });
  }
}

/** A stand-in for FFmpeg that notes when it begins which chunk, and becomes it. */
async function recordChunks(folder: string): Promise<string> {
  await mkdir(join(folder, 'starts'));
  // Its name tells the tests what it is, also before it has become it.
  const path = join(folder, 'ffmpeg');
  const lines = [
    '#!/bin/sh',
    `case "$*" in */chunks-0/*.mp4) for last; do :; done; printf '%s' "$last" > '${folder}/starts/'$(date +%s%N)-$$;; esac`,
    `exec ${FFMPEG} "$@"`,
  ];
  await writeFile(path, `${lines.join('\n')}\n`);
  await chmod(path, 0o755);
  return path;
}

async function postFilm(site: Site, seconds: number): Promise<string> {
  const source = await ffmpegFixture('mp4', [
    ...['-f', 'lavfi', '-i', `testsrc2=size=320x180:rate=25:duration=${seconds}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${seconds}`],
    ...'-c:v libx264 -preset ultrafast -g 50 -pix_fmt yuv420p -c:a aac -ac 2'.split(' '),
  ]);
  const answer = await call(
    site.address,
    `/v1/videos?format=webm&height=${LINES}&effort=small&poster=false`,
    {
      method: 'POST',
      body: await readFile(source),
    },
  );
  if (answer.status !== 202)
    throw new Error(`the film was answered ${answer.status}: ${answer.body.toString()}`);
  return jobIn(answer).id;
}

/** What lies on the shelf of a job, and since when. */
class Watch {
  /** Number of each chunk that was seen, and nanoseconds since 1970 when it was there for certain. */
  readonly kept = new Map<number, bigint>();
  readonly #site: Site;
  readonly #id: string;

  constructor(site: Site, id: string) {
    this.#site = site;
    this.#id = id;
  }

  async look(): Promise<void> {
    const folder = join(this.#site.dataDir, 'store/blobs/chunks', this.#id);
    const names = await readdir(folder).catch(() => []);
    const now = BigInt(Date.now()) * 1_000_000n;
    for (const name of names) {
      const number = Number(/-(\d+)-0\.mp4$/.exec(name)?.[1] ?? Number.NaN);
      if (!this.kept.has(number)) this.kept.set(number, now);
    }
  }

  async isOver(): Promise<boolean> {
    const job = await call(this.#site.address, `/v1/jobs/${this.#id}`, { timeoutMs: 1000 }).then(
      jobIn,
      () => undefined,
    );
    return job !== undefined && isFinished(job);
  }

  /** Looks on until the job has ended. */
  async end(): Promise<void> {
    await eventually(
      'the film is finished',
      async () => {
        await this.look();
        return this.isOver();
      },
      { timeoutMs: PATIENCE_MS, everyMs: 50 },
    );
  }
}

/**
 * Encodes that were begun for a chunk after it was on the shelf. `starts` in the folder holds a file for each, named by
 * the nanosecond, with the chunk's path in it.
 */
export async function encodedAgain(notes: string, kept: ReadonlyMap<number, bigint>): Promise<string[]> {
  const again: string[] = [];
  for (const name of await readdir(join(notes, 'starts'))) {
    const at = BigInt(name.split('-')[0] ?? '0');
    const chunk = Number(/(\d+)\.mp4$/.exec(await readFile(join(notes, 'starts', name), 'utf8'))?.[1]);
    const since = kept.get(chunk);
    if (since !== undefined && at > since) again.push(`chunk ${chunk} was finished, and encoded again`);
  }
  return again;
}
