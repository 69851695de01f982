// The scenarios of images and of polling, against the real server: they work, and they notice what is wrong.

import { expect, it } from 'vitest';
import { CheckFailed } from '../../load-tests/check.ts';
import { image } from '../../load-tests/scenarios/image.ts';
import { imageCache } from '../../load-tests/scenarios/image-cache.ts';
import { imageSet } from '../../load-tests/scenarios/image-set.ts';
import { isolation } from '../../load-tests/scenarios/isolation.ts';
import { status } from '../../load-tests/scenarios/status.ts';
import { expectFigures, quickRuns } from './bench.ts';

const runQuick = quickRuns();

it('image', async () => {
  expectFigures(await runQuick(image), [
    'image CPU cost',
    'image throughput',
    'image CPU cost, as a form',
    'image throughput, as a form',
  ]);
});

it('image-set', async () => {
  expectFigures(await runQuick(imageSet), ['image set']);
});

it('image-cache', async () => {
  expectFigures(await runQuick(imageCache), ['cached image', 'image not modified']);
});

it('image-cache notices work that is done another number of times than it should be', async () => {
  await expect(runQuick(imageCache, { works: 2 })).rejects.toThrow(
    'how many of the first requests did the work: expected 2, came 1',
  );
});

it('image notices another size than it should be', async () => {
  const run = runQuick(image, { expected: { width: 321 } });
  await expect(run).rejects.toThrow(CheckFailed);
  await expect(run).rejects.toThrow(
    'the size of a rendition: expected ["image/jpeg",321,261], came ["image/jpeg",320,261]',
  );
});

it('isolation', async () => {
  expectFigures(await runQuick(isolation), ['isolation, p99', 'isolation, p50']);
});

it('status', async () => {
  expectFigures(await runQuick(status), [
    'status polling',
    'status polling, 1,000 jobs stored',
    'status polling, CPU',
  ]);
});

it('status notices jobs that are not what they should be', async () => {
  await expect(runQuick(status, { jobs: 100, expected: 'failed' })).rejects.toThrow('a polled job: expected');
});
