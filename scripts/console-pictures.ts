// Makes the README's pictures of the console: of a running server, by this machine's Chromium.
// Usage: node scripts/console-pictures.ts [http://127.0.0.1:3000]

import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { openBrowser } from '../test/browser/browser.ts';
import { flight, landscape } from './pictures/landscape.ts';

const MOST_BYTES = 120_000;
const server = process.argv[2] ?? 'http://127.0.0.1:3000';
const folder = resolve(import.meta.dirname, '../docs/images');

const place = await mkdtemp(join(tmpdir(), 'mediamill-console-pictures-'));
const [photo, film] = [join(place, 'landscape.jpg'), join(place, 'flight.mp4')];
const picture = await landscape();
await writeFile(photo, picture);
await writeFile(film, await flight(picture));

async function keep(page: Page, name: string): Promise<void> {
  const png = await page.screenshot();
  const path = join(folder, `${name}.webp`);
  await sharp(png).webp({ quality: 82, effort: 6 }).toFile(path);
  const { size } = await stat(path);
  console.log(`${name.padEnd(20)} ${String(size).padStart(7)} bytes`);
  if (size > MOST_BYTES) throw new Error(`${name} is larger than ${MOST_BYTES} bytes`);
}

const browser = await openBrowser();
try {
  const wide = { width: 1280, height: 860 };
  const dark = await browser.newPage({ viewport: wide, colorScheme: 'dark' });
  await dark.goto(server);
  await dark.locator('.starters').waitFor();
  await dark.setInputFiles('#files', photo);
  await dark.locator('image-slider').waitFor();
  await dark.getByText('on the server').waitFor();
  await dark.locator('image-slider .after').evaluate((image: { decode(): Promise<void> }) => image.decode());
  await keep(dark, 'console-new');

  const light = await browser.newPage({ viewport: { ...wide, height: 980 }, colorScheme: 'light' });
  await light.goto(server);
  await light.getByRole('button', { name: 'Streaming' }).click();
  await light.setInputFiles('#files', film);
  await light.getByRole('button', { name: 'Make it' }).click();
  await light.getByText('✓ succeeded').waitFor({ timeout: 120_000 });
  await light.getByLabel('Quality').waitFor();
  await light.getByText('The job is made.').waitFor({ state: 'detached' });
  // The playlist of a stream that was still growing is asked for anew.
  await light.getByText('/ 0:12').waitFor();
  await light.locator('media-player .line').hover();
  await light.locator('media-player .preview').waitFor();
  await keep(light, 'console-job');

  const phone = await browser.newPage({
    viewport: { width: 360, height: 740 },
    deviceScaleFactor: 2,
    colorScheme: 'dark',
  });
  await phone.goto(light.url());
  await phone.getByLabel('Quality').waitFor();
  await keep(phone, 'console-phone');

  const machine = await browser.newPage({ viewport: { ...wide, height: 640 }, colorScheme: 'dark' });
  await machine.goto(`${server}/#/machine`);
  await machine.locator('time-plot canvas').last().waitFor();
  await keep(machine, 'console-machine');
} finally {
  await browser.close();
  await rm(place, { recursive: true });
}
