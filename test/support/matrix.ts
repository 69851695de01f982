// Which test files run in which mode, and in which order: the one matrix of vitest.config.ts.

import { relative } from 'node:path';
import type { TestProjectInlineConfiguration } from 'vitest/config';
import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';

/** Everything that asks a whole server or the real program; what lies below is the same in both modes. */
const OVER_HTTP = [
  'test/*.test.ts',
  'test/{access,browser,cli,client,cluster,hostile,idempotency,plugins,reference,routes,uploads,webhooks}/**/*.test.ts',
  'test/engines/{jpeg-xl,orientation}.test.ts',
  'test/operations/image/watermark-served.test.ts',
];

/**
 * Of these what a fleet does differently, in about a minute: jobs, events, uploads and webhooks that lie in Redis, results that lie in
 * S3. What only asks over HTTP for what these ask for too (the client, scopes, a tus client of others) is left to `all`.
 */
const MAIN = [
  'test/events.test.ts',
  'test/access/{isolation,processes}.test.ts',
  'test/idempotency/{program,routes,takeover}.test.ts',
  'test/routes/{jobs,tus,uploads,removed-jobs,orders,following,webhooks,hls}.test.ts',
  'test/uploads/{quotas,two-processes}.test.ts',
];

/** Files whose subject is the embedded mode itself. */
const EMBEDDED = [
  'test/architecture.test.ts',
  'test/config.test.ts',
  'test/logger.test.ts',
  // Backup and restore of the files in DATA_DIR, and the service that starts the one program.
  'test/running.test.ts',
  // The commands of the README, which is about one machine.
  'test/readme.test.ts',
];

/**
 * The second run of tests, over Redis and S3, as TEST_FLEET says: `main`, what every run of the tests repeats; `all`, everything that
 * can be; `none`.
 */
export function fleetProjects(): TestProjectInlineConfiguration[] {
  const scope = process.env['TEST_FLEET'] ?? 'none';
  if (scope === 'none') return [];
  if (scope !== 'main' && scope !== 'all') throw new Error('TEST_FLEET must be `main`, `all` or `none`');
  return [
    {
      extends: true,
      test: {
        name: 'fleet',
        include: scope === 'all' ? OVER_HTTP : MAIN,
        exclude: EMBEDDED,
        env: { TEST_MODE: 'fleet' },
        globalSetup: ['test/support/fleet-setup.ts'],
      },
    },
  ];
}

/** Files of ten seconds and more, the longest first. Whatever is not here is short, or will be known to the next run's cache. */
const LONG = [
  'test/load-tests/video-scenarios.test.ts',
  'test/faults/fleet.test.ts',
  'test/faults/faults.test.ts',
  'test/reference/examples.test.ts',
  'test/hostile/limits.test.ts',
  'test/program.test.ts',
  'test/hostile/files.test.ts',
  'test/cluster/cluster.test.ts',
  'test/routes/signed-images.test.ts',
  'test/engines/chunks.test.ts',
  'test/load-tests/image-scenarios.test.ts',
  'test/routes/video-stream.test.ts',
  'test/acceptance/clips.test.ts',
  'test/browser/console.test.ts',
  'test/routes/tus.test.ts',
  'test/engines/video-sound.test.ts',
  'test/engines/stream-output.test.ts',
  'test/readme.test.ts',
  'test/browser/ladder.test.ts',
  'test/hostile/aborted.test.ts',
  'test/access/isolation.test.ts',
  'test/engines/hls.test.ts',
  'test/events.test.ts',
  'test/queues/bullmq.test.ts',
];

/** Long files first, in a fresh clone too: a long one that begins last keeps the other workers waiting. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = LONG.indexOf(relative(this.ctx.config.root, moduleId));
      return place < 0 ? LONG.length : place;
    };
    // Stable: the others stay in the order of what the last run measured.
    return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other));
  }
}
