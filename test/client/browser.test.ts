// The client in a real browser: the same files, with nothing but their types taken away.

import { readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { browserIsMissing, openBrowser } from '../browser/browser.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { startTestServer } from '../support/server.ts';

const client = resolve(import.meta.dirname, '../../src/client');

/** Runs in the page: makes an image, uploads a clip in pieces, and follows a job of it. */
const SCRIPT = `async ([photo, clip]) => {
  const { connect } = await import('/client/mediamill.ts');
  const mediamill = connect();
  const bytesOf = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const { width, mediaType } = await mediamill.image(new File([bytesOf(photo)], 'photo.jpg'), { width: 120, format: 'webp' });
  const told = [];
  const upload = await mediamill.upload(new File([bytesOf(clip)], 'clip.mp4'), { chunkBytes: 20000, onProgress: ({ sent }) => told.push(sent) });
  const recipe = { outputs: { still: { type: 'thumbnail', width: 100 } } };
  const job = await mediamill.wait(await mediamill.job({ source: { upload: upload.id }, recipe }));
  const still = await (await mediamill.output(job, 'still')).blob();
  return { width, mediaType, pieces: told.length, name: upload.name, status: job.status, still: still.type };
}`;

describe.skipIf(browserIsMissing())('in a browser', () => {
  it('the client makes images, uploads in pieces and follows jobs', async () => {
    await using server = await startTestServer();
    const browser = await openBrowser();
    try {
      const page = await browser.newPage();
      await page.route('**/client/*.ts', async (route) => {
        const name = new URL(route.request().url()).pathname.split('/').at(-1) ?? '';
        const body = stripTypeScriptTypes(await readFile(resolve(client, name), 'utf8'));
        await route.fulfill({ contentType: 'text/javascript', body });
      });
      // A page of the server's own, without a policy that forbids the test's script.
      await page.goto(`${server.url}/livez`);
      const photo = (await imageFixture({ width: 400, height: 300 })).toString('base64');
      const clip = (
        await readFile(await clipFixture({ seconds: 1, width: 320, height: 180, fps: 10 }))
      ).toString('base64');
      // As text, since the test's own compiler would rewrite the import.
      const seen = await page.evaluate(`(${SCRIPT})(${JSON.stringify([photo, clip])})`);
      expect(seen).toMatchObject({
        width: 120,
        mediaType: 'image/webp',
        name: 'clip.mp4',
        status: 'succeeded',
        still: 'image/jpeg',
      });
      expect((seen as { pieces: number }).pieces).toBeGreaterThan(2);
    } finally {
      await browser.close();
    }
  });
});
