// The console before the real program with two processes: films and sounds are sent, made and played as a visitor does.

import { readFile, stat, writeFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folder } from '../engines/video-fixtures.ts';
import type { Folder } from '../engines/video-fixtures.ts';
import { eventually } from '../support/eventually.ts';
import { clipFixture } from '../support/fixtures.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';
import { startReceiver } from '../webhooks/receiver.ts';
import type { Receiver } from '../webhooks/receiver.ts';
import { browserIsMissing, openBrowser } from './browser.ts';
import { openConsole } from './console-page.ts';

interface Video {
  readonly currentTime: number;
  readonly videoHeight: number;
  readonly paused: boolean;
}

describe.skipIf(browserIsMissing())('the console', () => {
  let browser: Browser;
  let program: Program;
  let receiver: Receiver;
  let place: Folder;
  beforeAll(async () => {
    [browser, receiver, place] = await Promise.all([openBrowser(), startReceiver(), folder()]);
    await writeFile(place.join('ca.pem'), receiver.server.ca);
    program = await startProgram({
      WEBHOOK_HOSTS: `localhost:${receiver.server.port}`,
      WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
      NODE_EXTRA_CA_CERTS: place.join('ca.pem'),
    });
  }, 40_000);
  afterAll(async () => {
    await browser.close();
    await program[Symbol.asyncDispose]();
    await receiver[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });
  const video = <T>(page: Page, ask: (element: Video) => T): Promise<T> =>
    page.locator('media-player video').evaluate(ask as never);

  it('a film becomes a stream that plays, with a menu of qualities and pictures above the time line', async () => {
    const clip = await clipFixture({ seconds: 4, width: 640, height: 360 });
    await using opened = await openConsole(browser, program.address);
    const { page, faults } = opened;
    await opened.open('');
    await page.getByRole('button', { name: 'Streaming' }).waitFor();
    await page.setInputFiles('#files', clip);
    // The recipe at hand is for images; the one for a film takes its place.
    await page.locator('button[aria-pressed="true"]', { hasText: 'Streaming' }).waitFor();
    await page.getByRole('button', { name: 'Make it' }).click();
    await page.getByText('✓ succeeded').waitFor();

    const quality = page.getByLabel('Quality');
    await quality.waitFor();
    const rungs = await quality.locator('option').allTextContents();
    expect(rungs.length).toBeGreaterThan(2);
    expect(rungs[1]).toContain('360p');
    await page.locator('media-player').getByRole('button', { name: 'Play' }).click();
    await eventually('it plays', () => video(page, ({ currentTime }) => currentTime > 0.3));
    await page.locator('media-player').getByRole('button', { name: 'Pause' }).click();
    expect(await video(page, ({ paused }) => paused)).toBe(true);
    await quality.selectOption({ index: rungs.length - 1 });
    const seek = page.getByLabel('Position');
    await seek.focus();
    await page.keyboard.press('Home');
    await page.locator('media-player').getByRole('button', { name: 'Play' }).click();
    const lowest = Number(/(\d+)p/.exec(rungs.at(-1) ?? '')?.[1]);
    await eventually('it plays the lowest rung', () =>
      video(page, ({ videoHeight }) => videoHeight).then((height) => height === lowest),
    );

    await page.locator('media-player .line').hover();
    const preview = page.locator('media-player .preview');
    await preview.waitFor();
    const sprite = await preview.evaluate(
      (element: never) => (element as { style: { backgroundImage: string } }).style.backgroundImage,
    );
    expect(sprite).toContain('sprite-001.jpg');
    expect(await preview.textContent()).toBe('0:02');
    expect(await opened.audit()).toEqual([]);
    expect(faults).toEqual([]);
  });

  it('a sound is played below its wave; a probe is a table; whom it told is a list', async () => {
    const clip = await clipFixture({ seconds: 2, width: 64, height: 64 });
    await using opened = await openConsole(browser, program.address);
    const { page, faults } = opened;
    await opened.open('');
    await page.getByRole('button', { name: 'Sound' }).click();
    await page.getByLabel('Add an output').selectOption('probe');
    await page.setInputFiles('#files', clip);
    await page.getByText('Priority and webhook').click();
    await page.getByLabel('Webhook').fill(`${receiver.server.origin}/told`);
    await page.getByRole('button', { name: 'Make it' }).click();
    await page.getByText('✓ succeeded').waitFor();

    // Whom it told of its end, and that it can be told again.
    const webhooks = page.getByRole('region', { name: 'Webhooks' });
    await webhooks.getByText('delivered').waitFor();
    await webhooks.getByRole('button', { name: 'Send job.succeeded again' }).click();
    const [first, second] = await receiver.came(2);
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    await webhooks.getByText('2 tries').waitFor();

    const wave = page.locator('wave-form canvas').first();
    const drawn = (): Promise<boolean> =>
      wave.evaluate((canvas: never) => {
        const { width, height, ...rest } = canvas as { width: number; height: number };
        void rest;
        const pen = (
          canvas as { getContext(kind: string): { getImageData(...place: number[]): { data: Uint8Array } } }
        ).getContext('2d');
        return pen.getImageData(0, 0, width, height).data.some((each) => each > 0);
      });
    await eventually('the wave is drawn', drawn);
    await page.locator('media-player[audio]').getByRole('button', { name: 'Play' }).click();
    await eventually('it sounds', () => video(page, ({ currentTime }) => currentTime > 0.2));
    await page.locator('.document').getByText('MP4', { exact: true }).first().waitFor();
    expect(await opened.audit()).toEqual([]);
    expect(faults).toEqual([]);
  });

  it('a large file is paused, resumed, and goes on after a reload where it was', async () => {
    const path = place.join('large.mp4');
    const clip = await readFile(await clipFixture({ seconds: 1, width: 64, height: 64 }));
    await writeFile(path, Buffer.concat([clip, Buffer.alloc(6_000_000)]));
    const { size } = await stat(path);
    await using opened = await openConsole(browser, program.address);
    const { page } = opened;
    const line = await page.context().newCDPSession(page);
    const throttle = (uploadThroughput: number) =>
      line.send('Network.emulateNetworkConditions', {
        offline: false,
        latency: 0,
        downloadThroughput: -1,
        uploadThroughput,
      });
    const offsets: number[] = [];
    page.on('request', (request) => {
      if (request.method() === 'PATCH') offsets.push(Number(request.headers()['upload-offset']));
    });
    const sent = async (): Promise<number> => {
      const { uploads } = (await (await fetch(`${program.address}/v1/uploads`)).json()) as {
        uploads: { name: string; offset: number }[];
      };
      return uploads.find(({ name }) => name === 'large.mp4')?.offset ?? 0;
    };

    await opened.open('');
    await throttle(2_000_000);
    await page.setInputFiles('#files', path);
    await page.getByText(/^[1-9]\d? % sent/).waitFor();
    await page.getByRole('button', { name: 'Pause large.mp4' }).click();
    await page.getByText(/paused at/).waitFor();
    await page.getByRole('button', { name: 'Resume large.mp4' }).click();
    await page.getByText(/^[2-9]\d % sent/).waitFor();
    // The tab is closed in the middle of it, and the same file chosen again.
    await page.reload();
    const before = await eventually('some of it is kept', sent);
    offsets.length = 0;
    await throttle(-1);
    await page.setInputFiles('#files', path);
    await page.getByText('on the server').waitFor();
    expect(await sent()).toBe(size);
    expect(offsets[0]).toBeGreaterThanOrEqual(before);
    expect(before).toBeGreaterThan(0);
    // Taken out of the list, it is taken off the server.
    await page.getByRole('button', { name: 'Remove large.mp4' }).click();
    await eventually('it is removed', async () => (await sent()) === 0);
  });
});
