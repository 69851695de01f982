import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { withAnsweringFfmpeg } from './test/support/answering-ffmpeg.ts';
import { fleetProjects, LongestFirst } from './test/support/matrix.ts';

// Tests start the program hundreds of times. Compiling it is a third of what that takes.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules/.cache/compile');
// And ask FFmpeg a thousand times what it can.
process.env['PATH'] = withAnsweringFfmpeg(process.env['PATH'] ?? '');

export default defineConfig({
  test: {
    // Two cores: more test files at once would only take the CPU from one another's FFmpeg.
    maxWorkers: 2,
    pool: 'forks',
    // Far above what any takes: a machine that is busy otherwise is no failure.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { name: 'embedded', include: ['test/**/*.test.ts'] } },
      ...fleetProjects(),
    ],
  },
});
