// Two tenants and the real program with two processes: what is one's does not exist for the other, in every route there is.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { call } from '../support/client.ts';
import type { Answer, Call } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { makeKey } from '../support/keys.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';
import { isGuarded, routesOf } from './routes.ts';

type Ask = readonly [path: string, options?: Omit<Call, 'method'>];
type Headers = Record<string, string>;

/** What the first tenant has. */
interface Owned {
  readonly job: string;
  readonly upload: string;
  readonly clip: string;
  /** Not all of its bytes have come. */
  readonly part: string;
  readonly webhook: string;
  readonly delivery: string;
}

let program: Program;
let owned: Owned;
let owner: Headers;
let other: Headers;
let photo: Buffer;

const TUS = { 'tus-resumable': '1.0.0' };
const JSON_TYPE = { 'content-type': 'application/json' };
const PATCHING = { ...TUS, 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' };
const small = { outputs: { small: { type: 'image', steps: [{ op: 'resize', width: 32 }], format: 'webp' } } };
const order = (source: object, recipe: object): Ask => [
  '/v1/jobs',
  { headers: JSON_TYPE, body: JSON.stringify({ source, recipe }) },
];

/** Addresses of one thing: 404 for the other tenant. Those that change it come last, for its owner. */
const ONE: Readonly<Record<string, (owned: Owned) => Ask>> = {
  'GET /v1/jobs/:id': ({ job }) => [`/v1/jobs/${job}`],
  'GET /v1/jobs/:id/events': ({ job }) => [`/v1/jobs/${job}/events`],
  'GET /v1/jobs/:id/deliveries': ({ job }) => [`/v1/jobs/${job}/deliveries`],
  'GET /v1/jobs/:id/outputs/:name': ({ job }) => [`/v1/jobs/${job}/outputs/set`],
  'GET /v1/jobs/:id/outputs/:name/:file': ({ job }) => [`/v1/jobs/${job}/outputs/set/32.webp`],
  'GET /v1/deliveries/:id': ({ delivery }) => [`/v1/deliveries/${delivery}`],
  'GET /v1/uploads/:id': ({ upload }) => [`/v1/uploads/${upload}`],
  'HEAD /v1/uploads/:id': ({ part }) => [`/v1/uploads/${part}`, { headers: TUS }],
  'GET /v1/webhooks/:id': ({ webhook }) => [`/v1/webhooks/${webhook}`],
  'GET /v1/webhooks/:id/deliveries': ({ webhook }) => [`/v1/webhooks/${webhook}/deliveries`],
  'GET /v1/images/info': ({ upload }) => [`/v1/images/info?source=upload:${upload}`],
  'PATCH /v1/uploads/:id': ({ part }) => [`/v1/uploads/${part}`, { headers: PATCHING, body: 'x' }],
  'POST /v1/uploads/:id': ({ part }) => [
    `/v1/uploads/${part}`,
    { headers: { ...PATCHING, 'upload-offset': '1', 'x-http-method-override': 'PATCH' }, body: 'x' },
  ],
  'PATCH /v1/webhooks/:id': ({ webhook }) => [
    `/v1/webhooks/${webhook}`,
    { headers: JSON_TYPE, body: '{"enabled":true}' },
  ],
  'POST /v1/webhooks/:id/rotate': ({ webhook }) => [`/v1/webhooks/${webhook}/rotate`],
  'POST /v1/webhooks/:id/test': ({ webhook }) => [`/v1/webhooks/${webhook}/test`],
  'POST /v1/deliveries/:id/replay': ({ delivery }) => [`/v1/deliveries/${delivery}/replay`],
  // 409 for its owner: it is finished. Not 404.
  'POST /v1/jobs/:id/cancel': ({ job }) => [`/v1/jobs/${job}/cancel`],
  'DELETE /v1/webhooks/:id': ({ webhook }) => [`/v1/webhooks/${webhook}`],
  'DELETE /v1/uploads/:id': ({ upload }) => [`/v1/uploads/${upload}`],
  'DELETE /v1/jobs/:id': ({ job }) => [`/v1/jobs/${job}`],
};

/** Lists: what is in them for their owner, and for nobody else. */
const LISTS: Readonly<Record<string, (owned: Owned) => readonly string[]>> = {
  'GET /v1/jobs': ({ job }) => [job],
  'GET /v1/uploads': ({ upload, clip }) => [upload, clip],
  'GET /v1/webhooks': ({ webhook }) => [webhook],
};

/** Calls that can name an upload: as if it were not there. */
const NAMING: Readonly<Record<string, Readonly<Record<string, (owned: Owned) => Ask>>>> = {
  'POST /v1/jobs': {
    'as the source': ({ upload }) => order({ upload }, small),
    'by its whole name': ({ upload }) => order({ upload: `upload:${upload}` }, small),
    'of a video': ({ clip }) => order({ upload: clip }, { outputs: { poster: { type: 'thumbnail' } } }),
  },
  'POST /v1/images': {
    'as a watermark': ({ upload }) => [
      `/v1/images?watermark=southeast,0.2,0.8,upload:${upload}`,
      { body: photo },
    ],
  },
  'POST /v1/images/set': {
    'as a watermark': ({ upload }) => [
      `/v1/images/set?widths=32&watermark=southeast,0.2,0.8,upload:${upload}`,
      { body: photo },
    ],
  },
  'POST /v1/uploads': {
    'as a part of a whole': ({ part }) => [
      '/v1/uploads',
      { headers: { ...TUS, 'upload-concat': `final;/v1/uploads/${part}` } },
    ],
  },
};

/** Of videos: refused before anything is encoded, so only the other tenant asks. */
const NAMING_IN_VIDEOS: Readonly<Record<string, (owned: Owned) => Ask>> = {
  'as a watermark': ({ upload }) => [
    `/v1/videos?watermark=southeast,0.2,0.8,upload:${upload}`,
    { body: clip },
  ],
  'as a watermark of what is streamed': ({ upload }) => [
    `/v1/videos?delivery=stream&watermark=southeast,0.2,0.8,upload:${upload}`,
    { body: clip },
  ],
};
const NAMING_IN_RECIPES: Readonly<Record<string, (owned: Owned) => object>> = {
  'as a watermark of a video': ({ upload }) => ({
    type: 'transcode',
    watermark: { image: `upload:${upload}` },
  }),
  'to be joined': ({ clip }) => ({ type: 'concat', with: [`upload:${clip}`] }),
};
let clip: Buffer;

/** They have nothing that is one tenant's, and take no name of such a thing. */
const NEUTRAL = [
  'POST /v1/images/info',
  'POST /v1/webhooks',
  // Made for the caller's tenant: test/routes/webhook-tenants.test.ts.
  'GET /v1/webhooks/secrets',
  'GET /v1/operations',
  'POST /v1/session',
  // Of the machine as a whole, for its operators.
  'GET /v1/machine',
];
/** Events of all jobs, tried below. */
const STREAMS = ['GET /v1/events'];

const ask = (who: Headers, route: string, [path, options = {}]: Ask): Promise<Answer> =>
  call(program.address, path, {
    ...options,
    method: route.split(' ')[0] ?? '',
    headers: { ...options.headers, ...who },
  });
const idIn = (answer: Answer): string => {
  if (answer.status >= 300) throw new Error(`${answer.status} ${answer.body.toString()}`);
  return (answer.json() as { id: string }).id;
};

beforeAll(async () => {
  program = await startProgram();
  owner = (await makeKey(program.dataDir, { tenant: 'acme' })).headers;
  other = (await makeKey(program.dataDir, { tenant: 'other' })).headers;
  photo = await imageFixture({ width: 64, height: 48 });
  clip = await readFile(await clipFixture({ seconds: 1, width: 64, height: 48 }));
  await eventually('both processes ask for keys', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map(() => call(program.address, '/v1/jobs')));
    return answers.every(({ status }) => status === 401);
  });
  // A name that never resolves (RFC 2606): nothing leaves this machine.
  const hook = { headers: JSON_TYPE, body: JSON.stringify({ url: 'https://hooks.invalid/here' }) };
  const webhook = idIn(await ask(owner, 'POST', ['/v1/webhooks', hook]));
  const upload = idIn(await ask(owner, 'POST', ['/v1/uploads', { body: photo }]));
  const movie = idIn(await ask(owner, 'POST', ['/v1/uploads', { body: clip }]));
  const created = await ask(owner, 'POST', [
    '/v1/uploads',
    { headers: { ...TUS, 'upload-length': '10', 'upload-concat': 'partial' } },
  ]);
  const part = String(created.headers['location']).split('/').at(-1) ?? '';
  const set = { type: 'imageSet', widths: [16, 32], formats: ['webp'] };
  const recipe = JSON.stringify({ outputs: { set } });
  const job = idIn(await ask(owner, 'POST', ['/v1/jobs', form({ recipe })]));
  await eventually('the job has ended', async () => {
    const answer = await ask(owner, 'GET', [`/v1/jobs/${job}?wait=10`]);
    return (answer.json() as JobView).status === 'succeeded';
  });
  const delivery = await eventually('a delivery is owed', async () => {
    const answer = await ask(owner, 'GET', [`/v1/jobs/${job}/deliveries`]);
    return (answer.json() as { deliveries: { id: string }[] }).deliveries[0]?.id;
  });
  owned = { job, upload, clip: movie, part, webhook, delivery };
}, 60_000);
afterAll(() => program[Symbol.asyncDispose]());

it('is tried for every route that needs a key', async () => {
  const there = (await routesOf())
    .filter(isGuarded)
    .filter(({ method, url }) => method !== 'HEAD' || `HEAD ${url}` in ONE)
    .map(({ method, url }) => `${method} ${url}`);
  const tried = [
    ...[ONE, LISTS, NAMING].flatMap((table) => Object.keys(table)),
    ...NEUTRAL,
    ...STREAMS,
    'POST /v1/videos',
  ];
  // A new route belongs into one of the tables above, before anybody can ask for what is not theirs.
  expect(tried.toSorted()).toEqual([...new Set(there)].toSorted());
});

describe('what is one tenant’s does not exist for another', () => {
  it.each(Object.entries(ONE))('%s', async (route, asked) => {
    for (const tries of [1, 2]) {
      const answer = await ask(other, route, asked(owned));
      expect(answer.status, `try ${tries}`).toBe(404);
      if (route.startsWith('HEAD')) continue;
      expect((answer.json() as { code: string }).code).not.toBe('route_not_found');
    }
    // The same as for what never was.
    if (!route.startsWith('GET')) return;
    expect((await ask(other, 'HEAD', asked(owned))).status).toBe(404);
  });

  it.each(Object.entries(LISTS))('%s', async (route, ids) => {
    const path = route.split(' ')[1] ?? '';
    const answer = await ask(other, route, [path]);
    expect(answer.status).toBe(200);
    expect(
      Object.values(answer.json() as object)
        .flat()
        .filter(Boolean),
    ).toEqual([]);
    const own = (await ask(owner, route, [path])).body.toString();
    for (const id of ids(owned)) expect(own).toContain(id);
  });

  const naming = Object.entries(NAMING).flatMap(([route, ways]) =>
    Object.entries(ways).map(([how, asked]) => [route, how, asked] as const),
  );
  it.each(naming)('%s %s', async (route, how, asked) => {
    const refused = await ask(other, route, asked(owned));
    expect(refused.json()).toMatchObject({ status: 404, code: 'source_not_found' });
    // It is the tenant and nothing else: its owner may. Unless it is not whole yet.
    const { status } = await ask(owner, route, asked(owned));
    if (how === 'as a part of a whole') expect(status).not.toBe(404);
    else expect(status).toBeLessThan(300);
  });

  it.each(Object.entries(NAMING_IN_VIDEOS))('POST /v1/videos %s', async (_, asked) => {
    const refused = await ask(other, 'POST', asked(owned));
    expect(refused.json()).toMatchObject({ status: 404, code: 'source_not_found' });
  });

  it.each(Object.entries(NAMING_IN_RECIPES))('POST /v1/jobs %s', async (_, output) => {
    const recipe = JSON.stringify({ outputs: { video: output(owned) } });
    const refused = await ask(other, 'POST', ['/v1/jobs', form({ recipe }, clip)]);
    expect(refused.json()).toMatchObject({ status: 404, code: 'source_not_found' });
  });

  it('POST /v1/jobs as a watermark of a picture', async () => {
    const recipe = JSON.stringify({ outputs: { small: watermarked(owned.upload) } });
    const refused = await ask(other, 'POST', ['/v1/jobs', form({ recipe })]);
    expect(refused.json()).toMatchObject({ status: 404, code: 'source_not_found' });
    const job = idIn(await ask(owner, 'POST', ['/v1/jobs', form({ recipe })]));
    const ended = await eventually('it has ended', async () => {
      const view = (await ask(owner, 'GET', [`/v1/jobs/${job}?wait=10`])).json() as JobView;
      return view.links.cancel === null ? view : undefined;
    });
    expect(ended).toMatchObject({ status: 'succeeded' });
  });

  it('GET /v1/events', async () => {
    const theirs = idIn(await ask(other, 'POST', ['/v1/jobs', form({ recipe: JSON.stringify(small) })]));
    const told = await readUntil(other, theirs);
    expect(told).not.toContain(owned.job);
    expect(await readUntil(owner, owned.job)).not.toContain(theirs);
  });

  it('and nothing of all that was changed by asking; its owner may', async () => {
    for (const [route, asked] of Object.entries(ONE)) {
      if (route.endsWith('/events')) continue;
      const answer = await ask(owner, route, asked(owned));
      expect(answer.status, `${route} ${answer.body.toString().slice(0, 300)}`).not.toBe(404);
      expect(answer.status, route).toBeLessThan(route.endsWith('/cancel') ? 410 : 300);
    }
  });
});

/** The events of all jobs from the first on, until one job has succeeded. */
async function readUntil(headers: Headers, job: string): Promise<string> {
  const outgoing = get(new URL('/v1/events?lastEventId=0', program.address), { headers, agent: false });
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of incoming) {
    text += String(chunk);
    const events = text.split('\n\n');
    if (events.some((event) => event.includes('event: succeeded') && event.includes(job))) break;
  }
  outgoing.destroy();
  return text;
}

function watermarked(upload: string): object {
  return { type: 'image', steps: [{ op: 'composite', source: `upload:${upload}` }] };
}

/** A form with the picture, or another file. */
function form(fields: Record<string, string>, file = photo): Omit<Call, 'method'> {
  const boundary = 'isolation-boundary';
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const head = `${parts.join('')}--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n`;
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: Buffer.concat([Buffer.from(head), file, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  };
}
