// The scenarios of videos, against the real server: they work, and they notice what is wrong.

import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { chunked } from '../../load-tests/scenarios/chunked.ts';
import { fleetFilm } from '../../load-tests/scenarios/fleet-film.ts';
import { ladder } from '../../load-tests/scenarios/ladder.ts';
import { memory } from '../../load-tests/scenarios/memory.ts';
import { remux } from '../../load-tests/scenarios/remux.ts';
import { renditions } from '../../load-tests/scenarios/renditions.ts';
import { transcode } from '../../load-tests/scenarios/transcode.ts';
import { expectFigures, quickRuns } from './bench.ts';

const runQuick = quickRuns();

it('transcode', async () => {
  expectFigures(await runQuick(transcode), ['video overhead']);
});

it('transcode notices another size than it should be', async () => {
  await expect(runQuick(transcode, { expected: 92 })).rejects.toThrow(
    `the server's video: codecs and height: expected ["h264","aac",92], came ["h264","aac",90]`,
  );
});

it('renditions', async () => {
  expectFigures(await runQuick(renditions), ['renditions']);
});

it('ladder', async () => {
  expectFigures(await runQuick(ladder), ['ladder', 'ladder, drawn', 'first segment']);
});

// One core encodes nothing at the same time.
it.skipIf(availableParallelism() < 2)('chunked', async () => {
  expectFigures(await runQuick(chunked), ['chunked']);
});

it.skipIf(availableParallelism() < 2)('chunked notices that nothing was cut', async () => {
  // Shorter than two chunks.
  await expect(runQuick(chunked, { clipSeconds: 2 })).rejects.toThrow('the job was not made in chunks');
});

it('fleet-film', async () => {
  expectFigures(await runQuick(fleetFilm), ['film on two machines']);
}, 90_000);

it('remux', async () => {
  expectFigures(await runQuick(remux), ['remux']);
});

it('memory', async () => {
  const findings = await runQuick(memory);
  expectFigures(findings, ['memory during an upload']);
  expect(findings.charts[0]?.series[0]?.points.length).toBeGreaterThan(1);
});
