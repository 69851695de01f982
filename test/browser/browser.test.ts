// Which browser is taken, and what is said where there is none.

import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { afterEach, expect, it, vi } from 'vitest';
import { folder } from '../engines/video-fixtures.ts';
import type { Folder } from '../engines/video-fixtures.ts';
import { browserIsMissing, findBrowser } from './browser.ts';

afterEach(() => vi.restoreAllMocks());

async function program(place: Folder, name: string, mode = 0o755): Promise<string> {
  await writeFile(place.join(name), '');
  await chmod(place.join(name), mode);
  return place.join(name);
}

it('the first of its names on the PATH is taken, if it can be run', async () => {
  await using place = await folder();
  const env = { PATH: `/none:${place.path}` };
  expect(findBrowser(env)).toBeUndefined();
  const chrome = await program(place, 'google-chrome');
  expect(findBrowser(env)).toBe(chrome);
  await program(place, 'chromium-browser', 0o644);
  expect(findBrowser(env)).toBe(chrome);
  expect(findBrowser({ ...env, CHROMIUM_PATH: '' })).toBe(chrome);
  const first = await program(place, 'chromium');
  expect(findBrowser(env)).toBe(first);
});

it('a folder of that name is no program', async () => {
  await using place = await folder();
  await mkdir(place.join('chromium'));
  expect(findBrowser({ PATH: place.path })).toBeUndefined();
});

it('CHROMIUM_PATH comes first, by path or by name, and must lead somewhere', async () => {
  await using place = await folder();
  await program(place, 'chromium');
  const other = await program(place, 'My Chrome');
  const env = { PATH: place.path };
  expect(findBrowser({ ...env, CHROMIUM_PATH: other })).toBe(other);
  expect(findBrowser({ ...env, CHROMIUM_PATH: 'My Chrome' })).toBe(other);
  expect(() => findBrowser({ ...env, CHROMIUM_PATH: '/none/chrome' })).toThrow('/none/chrome');
});

it('without one tests are skipped aloud, but in CI it is a failure', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  expect(browserIsMissing({ PATH: '/none' })).toBe(true);
  expect(warn).toHaveBeenCalledWith(expect.stringContaining('SKIPPED'));
  expect(() => browserIsMissing({ PATH: '/none', CI: 'true' })).toThrow('CI=true');
});
