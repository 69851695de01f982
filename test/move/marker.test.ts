import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { assertNotMoved, readMarker, writeMarker } from '../../src/move/marker.ts';

const EMBEDDED = { QUEUE: 'sqlite', STORE: 'disk' } as const;
const FLEET = { QUEUE: 'bullmq', STORE: 's3' } as const;
const AT = '2026-11-23T01:02:03.000Z';

let DATA_DIR: string;
beforeEach(async () => {
  DATA_DIR = await mkdtemp(join(tmpdir(), 'marker-'));
});
afterEach(() => rm(DATA_DIR, { recursive: true }));

it('says nothing of a folder that was never moved', () => {
  expect(readMarker(DATA_DIR)).toEqual({});
  assertNotMoved({ DATA_DIR, ...EMBEDDED });
});

it.each([
  [{ queue: AT }, EMBEDDED, /moved to Redis on 2026-11-23T01:02:03.000Z: set QUEUE=bullmq/],
  [{ store: AT }, EMBEDDED, /moved to S3 on 2026-11-23T01:02:03.000Z: set STORE=s3/],
  [{ store: AT }, { ...EMBEDDED, QUEUE: 'bullmq' }, /moved to S3/],
  [{ queue: AT }, { ...EMBEDDED, STORE: 's3' }, /moved to Redis/],
  [{ moving: 'fleet', id: 'a' }, EMBEDDED, /move of DATA_DIR .* not ended.*--to fleet.*--give-up/],
  [{ moving: 'embedded', id: 'a' }, { ...EMBEDDED, STORE: 's3' }, /move to DATA_DIR .* not ended.*of no use/],
  [{ moving: 'fleet', id: 'a' }, { ...FLEET, STORE: 'disk' }, /not ended/],
] as const)(
  'keeps a server from a folder that says %j, and settings %j',
  async (marker, settings, message) => {
    await writeMarker(DATA_DIR, marker);
    expect(() => assertNotMoved({ DATA_DIR, ...settings })).toThrow(message);
  },
);

it('lets a server work that has what was moved', async () => {
  await writeMarker(DATA_DIR, { queue: AT, store: AT });
  assertNotMoved({ DATA_DIR, ...FLEET });
  // A machine of a fleet keeps nothing of its own there.
  await writeMarker(DATA_DIR, { id: 'a', moving: 'fleet' });
  assertNotMoved({ DATA_DIR, ...FLEET });
  await writeMarker(DATA_DIR, { store: AT });
  assertNotMoved({ DATA_DIR, QUEUE: 'sqlite', STORE: 's3' });
  await writeMarker(DATA_DIR, {});
  assertNotMoved({ DATA_DIR, ...EMBEDDED });
  expect(await readdir(DATA_DIR)).toEqual([]);
});

it('refuses a file that is not ours', async () => {
  await writeFile(join(DATA_DIR, 'moved.json'), '{"queue":1}');
  expect(() => readMarker(DATA_DIR)).toThrow(/moved\.json cannot be read/);
});
