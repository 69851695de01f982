// The console's main paths for images, its lists and its forms, in a real browser.

import { readFile, writeFile } from 'node:fs/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { folder } from '../engines/video-fixtures.ts';
import type { Folder } from '../engines/video-fixtures.ts';
import { eventually } from '../support/eventually.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { makeKey, revokeKey } from '../support/keys.ts';
import { form, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { browserIsMissing, openBrowser } from './browser.ts';
import { openConsole } from './console-page.ts';

describe.skipIf(browserIsMissing())('the console', () => {
  let browser: Browser;
  let server: TestServer;
  let picture: Buffer;
  let place: Folder;
  beforeAll(async () => {
    place = await folder();
    const recipe = {
      outputs: { thumb: { type: 'image', steps: [{ op: 'resize', width: 32 }], format: 'webp' } },
    };
    await writeFile(place.join('presets.json'), JSON.stringify({ 'house-style': recipe }));
    [browser, server, picture] = await Promise.all([
      openBrowser(),
      startTestServer({ PRESETS_FILE: place.join('presets.json') }),
      imageFixture({ width: 1200, height: 800 }),
    ]);
  });
  afterAll(async () => {
    await browser.close();
    await server[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });
  const file = (name: string) => ({ name, mimeType: 'image/jpeg', buffer: picture });
  const jobs = async (): Promise<JobView[]> =>
    ((await (await server.request('/v1/jobs?limit=100')).json()) as { jobs: JobView[] }).jobs;

  it('an image is dropped, previewed, made, and compared with what it was', async () => {
    await using opened = await openConsole(browser, server.url);
    const { page, faults } = opened;
    await opened.open('');
    // As a drop gives it, which no input does.
    const transfer = await page.evaluateHandle(
      `(() => { const data = new DataTransfer(); const bytes = Uint8Array.from(atob('${picture.toString('base64')}'), (c) => c.charCodeAt(0)); data.items.add(new File([bytes], 'dropped.jpg', { type: 'image/jpeg' })); return data; })()`,
    );
    await page.dispatchEvent('.drop', 'drop', { dataTransfer: transfer });
    await page.getByText('on the server').waitFor();

    // A step is added, and the preview follows.
    await page.getByLabel('Add a step').selectOption('grayscale');
    await page.getByLabel('width', { exact: true }).fill('300');
    await page.getByLabel('width', { exact: true }).blur();
    await page.getByText('300 × 200').waitFor();
    // Colours first, then the size: no query says that, and the page says so.
    await page.getByRole('button', { name: 'Move grayscale up' }).click();
    await page.getByText('made by a job only').waitFor();
    await page.getByRole('button', { name: 'Move grayscale down' }).click();
    await page.getByText('300 × 200').waitFor();
    await page.getByRole('tab', { name: 'JSON' }).click();
    const json = page.getByLabel('The recipe as JSON');
    expect(JSON.parse(await json.inputValue())).toEqual({
      outputs: {
        image: { type: 'image', steps: [{ op: 'resize', width: 300 }, { op: 'grayscale' }], format: 'webp' },
      },
    });
    await json.fill('{"outputs": {');
    await page.getByText('This is no recipe yet').waitFor();
    expect(await page.getByRole('button', { name: 'Make it' }).isDisabled()).toBe(true);
    await json.fill(
      '{"outputs":{"tiny":{"type":"image","steps":[{"op":"resize","width":100}],"format":"jpeg"}}}',
    );
    await page.getByText('100 × 67').waitFor();
    await page.getByText('The same by curl').click();
    expect(await page.getByLabel('At once', { exact: true }).textContent()).toContain(
      '/v1/images?width=100&format=jpeg',
    );
    expect(await opened.audit()).toEqual([]);

    await page.getByRole('button', { name: 'Make it' }).click();
    await page.waitForURL(/#\/jobs\/./);
    await page.getByText('✓ succeeded').waitFor();
    const slider = page.locator('image-slider');
    await slider.waitFor();
    expect(await slider.getAttribute('before-label')).toContain('source');
    const edge = page.getByLabel('How much of the picture before is shown');
    await edge.focus();
    await page.keyboard.press('End');
    expect(
      await slider.evaluate((element: { style: { cssText: string } }) => element.style.cssText),
    ).toContain('100%');
    await page.getByText('100 × 67').waitFor();
    expect(await opened.audit()).toEqual([]);

    // The same upload once more, without sending it again.
    await page.getByRole('button', { name: 'Run dropped.jpg again' }).click();
    await eventually(
      'a second job',
      async () => (await jobs()).filter(({ source }) => source.name === 'dropped.jpg').length === 2,
    );
    expect(faults).toEqual([]);
  });

  it('a preset of the server makes a job of each of several files', async () => {
    await using opened = await openConsole(browser, server.url);
    const { page, faults } = opened;
    await opened.open('');
    await page.getByRole('button', { name: 'house-style' }).click();
    await page.setInputFiles('#files', [file('preset-1.jpg'), file('preset-2.jpg')]);
    await page.getByRole('button', { name: 'Make 2 jobs' }).click();
    const done = page.locator('.transfer').getByText('Job succeeded');
    await eventually('both are done', async () => (await done.count()) === 2);
    const made = (await jobs()).filter(({ source }) => source.name?.startsWith('preset-') === true);
    expect(made.map(({ outputs }) => outputs.map(({ name, width }) => [name, width]))).toEqual([
      [['thumb', 32]],
      [['thumb', 32]],
    ]);
    expect(await opened.audit()).toEqual([]);
    expect(faults).toEqual([]);
  });

  it('what the server does not take is told at its field', async () => {
    await using opened = await openConsole(browser, server.url);
    const { page } = opened;
    await opened.open('');
    await page.setInputFiles('#files', file('wrong.jpg'));
    await page.getByText('on the server').waitFor();
    await page.getByLabel('width', { exact: true }).fill('0');
    const field = page.getByLabel('width', { exact: true });
    const make = page.getByRole('button', { name: 'Make it' });
    // Known here: told while it is typed, and nothing is sent.
    expect(await field.getAttribute('aria-invalid')).toBe('true');
    expect(await page.locator('[id$="width-wrong"]').textContent()).toContain('at least 1');
    await page.getByText('Mend image › step 1, resize › width').waitFor();
    expect(await make.isDisabled()).toBe(true);
    await field.fill('64');
    // Known to the server alone.
    await page.getByText('Priority and webhook').click();
    await page.getByLabel('Webhook').fill('http://insecure.example');
    await make.click();
    await page.locator('#webhook-wrong:not(:empty)').waitFor();
    expect((await jobs()).some(({ source }) => source.name === 'wrong.jpg')).toBe(false);
    expect(await page.locator('.transfer .wrong').textContent()).toBe(
      'No job was made: the recipe was not taken.',
    );
    // Mended, it goes through with the same upload.
    await page.getByLabel('Webhook').fill('');
    await make.click();
    await page.getByText('✓ succeeded').waitFor();
  });

  it('a name that is not allowed stays as it was typed, marked, and nothing is made until it is mended', async () => {
    await using opened = await openConsole(browser, server.url);
    const { page, faults } = opened;
    await opened.open('');
    await page.setInputFiles('#files', file('named.jpg'));
    await page.getByText('on the server').waitFor();
    const name = page.getByLabel('Name of the output');
    const make = page.getByRole('button', { name: 'Make it' });
    await name.fill('My Output');
    // Told while it is typed; and what else is drawn meanwhile takes nothing away.
    await page.setInputFiles('#files', file('meanwhile.jpg'));
    await page.locator('.transfer', { hasText: 'meanwhile.jpg' }).getByText('on the server').waitFor();
    await page.getByRole('button', { name: 'Remove meanwhile.jpg' }).click();
    await page.getByText('A name has small letters').waitFor();
    expect([await name.inputValue(), await name.getAttribute('aria-invalid')]).toEqual(['My Output', 'true']);
    expect(await make.isDisabled()).toBe(true);
    expect(await name.inputValue()).toBe('My Output');
    await name.fill('mine');
    await name.blur();
    // A step whose text nobody can know but who writes it.
    await page.getByLabel('Add a step').selectOption('text');
    await page.getByText('Fill in mine › step 2, text › text').waitFor();
    const words = page.getByLabel('text *', { exact: true });
    expect([await words.inputValue(), await words.getAttribute('placeholder')]).toEqual([
      '',
      'e.g. Good morning, Zürich',
    ]);
    expect(await make.isDisabled()).toBe(true);
    expect(await opened.audit()).toEqual([]);
    await words.fill('Hello');
    await make.click();
    await page.getByText('✓ succeeded').waitFor();
    expect((await jobs()).find(({ source }) => source.name === 'named.jpg')?.outputs[0]?.name).toBe('mine');
    expect(faults).toEqual([]);
  });

  it('files of another kind are told before anything is made, by their bytes and not by their names', async () => {
    const clip = await readFile(await clipFixture({ seconds: 1, width: 64, height: 64 }));
    await using opened = await openConsole(browser, server.url);
    const { page } = opened;
    await opened.open('');
    await page.getByRole('button', { name: 'Square avatar' }).click();
    // It says that it is a picture.
    await page.setInputFiles('#files', [
      { name: 'film.jpg', mimeType: 'image/jpeg', buffer: clip },
      file('mixed-1.jpg'),
      file('mixed-2.jpg'),
      { name: 'nothing.png', mimeType: 'image/png', buffer: Buffer.alloc(0) },
    ]);
    await page.locator('.transfer', { hasText: 'film.jpg' }).getByText('it is video/mp4').waitFor();
    await page.locator('.transfer', { hasText: 'nothing.png' }).getByText('The file is empty.').waitFor();
    await page.getByText('Without film.jpg: it does not fit').waitFor();
    await page.getByRole('button', { name: 'Make 2 jobs' }).click();
    await page.getByText('2 of 2 jobs made').waitFor();
    // The film is still there for a recipe of its own.
    await page.getByRole('button', { name: 'Streaming' }).click();
    expect(await page.getByRole('button', { name: 'Make it' }).isEnabled()).toBe(true);
    expect((await jobs()).some(({ source }) => source.name === 'film.jpg')).toBe(false);
    expect(await opened.audit()).toEqual([]);
  });

  it('a file that the server does not take is told, and does not hold up others', async () => {
    await using opened = await openConsole(browser, server.url);
    const { page } = opened;
    await opened.open('');
    const text = {
      name: 'notes.txt',
      mimeType: 'text/plain',
      buffer: Buffer.from('nothing to see\n'.repeat(500)),
    };
    await page.setInputFiles('#files', [text, file('beside.jpg')]);
    await page
      .locator('.transfer', { hasText: 'notes.txt' })
      .getByRole('alert')
      .getByText('no kind of media')
      .waitFor();
    await page.getByRole('button', { name: 'Make it' }).click();
    await page.locator('.transfer', { hasText: 'beside.jpg' }).getByText('Job succeeded').waitFor();
    expect(await opened.audit()).toEqual([]);
  });

  it('the list filters, changes as jobs do, and removes', async () => {
    const clip = new Uint8Array(await readFile(await clipFixture({ seconds: 1, width: 64, height: 64 })));
    const send = async (bytes: Uint8Array<ArrayBuffer>, name: string, outputs: object): Promise<JobView> =>
      (await (
        await server.request('/v1/jobs', {
          method: 'POST',
          body: form(bytes, { recipe: JSON.stringify({ outputs }) }, name),
        })
      ).json()) as JobView;
    const made = await send(new Uint8Array(picture), 'list-one.jpg', {
      small: { type: 'image', format: 'webp' },
    });
    const film = await send(clip, 'list-film.mp4', { facts: { type: 'probe' } });
    // Nothing a decoder can use behind a good beginning.
    const broken = await send(new Uint8Array(picture.subarray(0, 2000)), 'list-broken.jpg', {
      small: { type: 'image' },
    });
    await Promise.all([made, film, broken].map((job) => server.finished(job)));

    await using opened = await openConsole(browser, server.url);
    const { page, faults } = opened;
    await opened.open('#/jobs');
    const rows = page.locator('li.job');
    const names = async (): Promise<string[]> =>
      (await rows.locator('.job-main a').allTextContents()).toSorted();
    await page.getByLabel('Name', { exact: true }).fill('list-');
    await eventually('three rows', async () => (await rows.count()) === 3);
    await page.getByLabel('Kind').selectOption('video');
    expect(await names()).toEqual(['list-film.mp4']);
    await page.getByLabel('Kind').selectOption('');
    await page.getByLabel('Status').selectOption('failed');
    await eventually('the failed one', async () => (await names()).join() === 'list-broken.jpg');
    await page.getByText('1 job shown').waitFor();
    await page.reload();
    await eventually('the same after a reload', async () => (await names()).join() === 'list-broken.jpg');
    expect([
      await page.getByLabel('Status').inputValue(),
      await page.getByLabel('Name', { exact: true }).inputValue(),
    ]).toEqual(['failed', 'list-']);
    await page.getByLabel('Status').selectOption('');
    await page.getByText('live').waitFor();
    expect(await opened.audit()).toEqual([]);

    // Made elsewhere, it appears by itself.
    const late = await send(new Uint8Array(picture), 'list-late.jpg', {
      small: { type: 'image', format: 'webp' },
    });
    await page.getByRole('link', { name: 'list-late.jpg' }).waitFor();
    await page.locator('li.job', { hasText: 'list-late.jpg' }).getByText('succeeded').waitFor();
    const remove = page.getByRole('button', { name: 'Remove list-late.jpg' });
    const question = page.getByRole('dialog', { name: 'Remove list-late.jpg?' });
    await remove.click();
    await question.waitFor();
    expect(await opened.audit()).toEqual([]);
    await page.keyboard.press('Escape');
    await question.waitFor({ state: 'detached' });
    expect((await server.request(`/v1/jobs/${late.id}`)).status).toBe(200);
    await remove.click();
    await question.getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('link', { name: 'list-late.jpg' }).waitFor({ state: 'detached' });
    expect((await server.request(`/v1/jobs/${late.id}`)).status).toBe(404);

    await page.getByRole('link', { name: 'list-broken.jpg' }).click();
    const problem = page.getByRole('alert');
    await problem.getByText('Code image_unreadable').waitFor();
    await page.getByText('Not made.').waitFor();
    expect(await opened.audit()).toEqual([]);
    expect(faults).toEqual([]);
  });

  it('where no events come, it asks', async () => {
    await using opened = await openConsole(browser, server.url);
    const { page } = opened;
    await page.route('**/v1/events', (route) => route.fulfill({ status: 503 }));
    await opened.open('#/jobs');
    await page.getByText('asked for every 2 s').waitFor();
    const made = (await (
      await server.request('/v1/jobs?preset=house-style', { method: 'POST', body: new Uint8Array(picture) })
    ).json()) as JobView;
    await page.locator('li.job', { hasText: made.id }).getByText('✓ succeeded').waitFor();
  });

  it('a server that cannot answer is told, not taken for one without jobs, and asked again', async () => {
    await server.request('/v1/jobs?preset=house-style', { method: 'POST', body: new Uint8Array(picture) });
    await using opened = await openConsole(browser, server.url);
    const { page } = opened;
    const detail = 'Redis cannot be reached at the moment.';
    const problem = {
      status: 503,
      contentType: 'application/problem+json',
      body: JSON.stringify({ detail }),
    };
    await page.route('**/v1/events', (route) => route.fulfill(problem));
    await page.route('**/v1/jobs?*', (route) => route.fulfill(problem));
    await opened.open('#/jobs');
    await page.getByRole('alert').getByText(detail).waitFor();
    expect(await page.getByText('Make one').count()).toBe(0);
    await page.unroute('**/v1/jobs?*');
    await page.locator('li.job').first().waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  it('fits a phone, light and dark, on every page', async () => {
    const [some] = await jobs();
    for (const colorScheme of ['light', 'dark'] as const) {
      await using opened = await openConsole(browser, server.url, {
        viewport: { width: 360, height: 740 },
        colorScheme,
      });
      for (const hash of ['', '#/jobs', '#/jobs?status=succeeded', `#/jobs/${some?.id}`, '#/machine']) {
        await opened.open(hash);
        if (hash === '') await opened.page.getByLabel('Add an output').waitFor();
        if (hash === '#/machine') await opened.page.locator('time-plot canvas').first().waitFor();
        expect([hash, colorScheme, ...(await opened.audit())]).toEqual([hash, colorScheme]);
      }
      expect(opened.faults).toEqual([]);
    }
  });

  it('the theme is switched, and stays', async () => {
    await using opened = await openConsole(browser, server.url, { colorScheme: 'light' });
    const { page } = opened;
    const ground = (): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor');
    await opened.open('#/jobs');
    const light = await ground();
    await page.getByRole('button', { name: 'Colours: auto' }).click();
    const dark = await ground();
    expect(dark).not.toBe(light);
    await page.reload();
    await page.getByRole('button', { name: 'Colours: dark' }).click();
    expect(await ground()).toBe(light);
  });

  it('a key that may only look is told so, and is offered nothing that it may not do', async () => {
    await using guarded = await startTestServer();
    const admin = await makeKey(guarded.config.DATA_DIR);
    const reader = await makeKey(guarded.config.DATA_DIR, { scopes: ['jobs:read'] });
    await eventually('keys are asked for', async () => (await guarded.request('/v1/jobs')).status === 401);
    const made = await guarded.request('/v1/jobs', {
      method: 'POST',
      headers: admin.headers,
      body: form(new Uint8Array(picture), { recipe: '{"outputs":{"a":{"type":"image"}}}' }, 'seen.jpg'),
    });
    expect(made.status).toBe(202);
    await using opened = await openConsole(browser, guarded.url);
    const { page } = opened;
    await opened.open('');
    await page.getByLabel('API key').fill(reader.text);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('it lacks uploads and jobs:write').waitFor();
    expect(await page.locator('#files').count()).toBe(0);
    expect(await opened.audit()).toEqual([]);
    await page.getByRole('link', { name: 'The jobs' }).click();
    await page.getByRole('link', { name: 'seen.jpg' }).waitFor();
    expect(await page.getByRole('button', { name: 'Remove' }).count()).toBe(0);
  });

  it('a key is asked for, refused and taken; results are seen, and gone after signing out', async () => {
    await using guarded = await startTestServer();
    const key = await makeKey(guarded.config.DATA_DIR);
    await eventually('keys are asked for', async () => (await guarded.request('/v1/jobs')).status === 401);
    await using opened = await openConsole(browser, guarded.url);
    const { page } = opened;
    await opened.open('');
    await page.locator('#key:focus').waitFor();
    await page.getByLabel('API key').fill('mm_wrong_key');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.locator('#key-wrong:not(:empty)').waitFor();
    expect(await opened.audit()).toEqual([]);
    await page.getByLabel('API key').fill(key.text);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.setInputFiles('#files', file('guarded.jpg'));
    await page.getByRole('button', { name: 'Make it' }).click();
    await page.getByText('✓ succeeded').waitFor();
    await page.getByText('or send a key').first().waitFor();
    // An <img> sends no header: the cookie must do.
    await eventually('the result is shown', () =>
      page
        .locator('image-slider .after')
        .evaluate((image: { naturalWidth: number }) => image.naturalWidth > 0),
    );
    await page.reload();
    await page.getByText('✓ succeeded').waitFor();
    // A file without a job, and where another was to be resumed: neither is for whoever comes next.
    await page.getByRole('link', { name: 'New', exact: true }).click();
    await page.setInputFiles('#files', file('private.jpg'));
    await page.getByText('on the server').waitFor();
    await page.evaluate(`localStorage.setItem('tus::a-file::1', '{"uploadUrl":"/v1/uploads/1"}')`);
    await page.goBack();
    await page.getByText('✓ succeeded').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('API key').waitFor();
    expect(await page.evaluate(`Object.keys(localStorage).filter((key) => key.startsWith('tus::'))`)).toEqual(
      [],
    );
    const cookies = await page.context().cookies();
    expect(cookies.filter(({ value }) => value !== '')).toEqual([]);
    // A key that is revoked is asked for again at the next thing that is done.
    await page.getByLabel('API key').fill(key.text);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('✓ succeeded').waitFor();
    await page.getByRole('link', { name: 'New', exact: true }).click();
    await page.getByText('Add a file first').waitFor();
    expect(await page.getByText('private.jpg').count()).toBe(0);
    await revokeKey(guarded.config.DATA_DIR, key.id);
    await eventually(
      'it is refused',
      async () => (await guarded.request('/v1/jobs', { headers: key.headers })).status === 401,
    );
    await page.getByRole('link', { name: 'Machine' }).click();
    await page.getByLabel('API key').waitFor();
    // 401 was answered, on purpose, and browsers tell so.
    expect(opened.faults.filter((fault) => !fault.includes('401'))).toEqual([]);
  });
});
