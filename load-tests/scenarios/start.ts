// The first minute: from a fresh clone, with every package still to be downloaded, to the first resized image.

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makePhoto, PHONE_PHOTO } from '../media.ts';
import { checkRendition, expectedRendition } from '../rendition.ts';
import { figure } from '../scenario.ts';
import type { Pace, Scenario } from '../scenario.ts';
import { ROOT, startServer } from '../server-process.ts';

/** Needs a network, and the last commit is what is cloned: so it is not part of `all`. */
export const start: Scenario<Pace> = {
  name: 'start',
  title: 'From a fresh clone to the first resized image',
  full: { rounds: 1, seconds: 0 },
  quick: { rounds: 1, seconds: 0 },
  async run({ rounds }, { folder, signal, progress, env }) {
    const photo = await makePhoto(folder, PHONE_PHOTO);
    const seconds: number[] = [];
    for (let round = 0; round < rounds; round++) {
      progress.step(`round ${round + 1} of ${rounds}`, round, rounds);
      const place = await mkdtemp(join(folder, 'start-'));
      const clone = join(place, 'clone');
      const begun = performance.now();
      await promisify(execFile)('git', ['clone', '--quiet', ROOT, clone], { signal });
      await using server = await startServer({
        signal,
        command: ['./scripts/start'],
        cwd: clone,
        // An empty cache: the packages come from the registry.
        env: { ...env, npm_config_cache: join(place, 'npm-cache') },
        startMs: 600_000,
      });
      await checkRendition(server.address, photo, 320, expectedRendition(photo, 320), signal);
      seconds.push((performance.now() - begun) / 1000);
      await server.stop();
      await rm(place, { recursive: true, force: true });
    }
    return {
      figures: [
        figure('start', seconds, {
          unit: 's',
          target: { op: '≤', value: 90 },
          measured: 'git clone, ./scripts/start, one image',
          floor: '–',
        }),
      ],
      charts: [],
      notes: ['The last commit is cloned; npm begins with an empty cache; FFmpeg is there already.'],
    };
  },
};
