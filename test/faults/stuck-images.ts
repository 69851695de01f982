// The round with images that nobody can stop: eight at once, while others want to be served.

import { call } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { imageFixture } from '../support/fixtures.ts';
import { forksOf } from '../support/processes.ts';
import { keepAsking, keepWorking } from '../support/pulse.ts';
import { reckon } from './round.ts';
import type { Report } from './round.ts';
import { openSite } from './site.ts';

const AT_ONCE = 8;
const DEADLINE_SECONDS = 1;
/** From the last of them until every slot serves again. */
const BACK_MS = 12_000;

/** /livez answers throughout, ordinary images are made or put off in words, every process is back soon after. */
export async function stuckImages(): Promise<Report> {
  const begun = performance.now();
  const heavy = await imageFixture({ width: 7000, height: 5700, grain: 60, quality: 40 });
  // Each with other bytes behind its end, or the second would be refused for what the first did.
  const stuck = Array.from({ length: AT_ONCE }, (_, index) => Buffer.concat([heavy, Buffer.of(index)]));
  const light = await imageFixture({ width: 64, height: 48 });
  await using site = await openSite({ IMAGE_DEADLINE_SECONDS: String(DEADLINE_SECONDS) });
  const { violations } = site;
  const over = new AbortController();
  const pulse = keepAsking(site.address, over.signal);
  const ordinary = keepWorking(
    () => call(site.address, '/v1/images?width=8', { method: 'POST', body: light }),
    over.signal,
  );

  // Whoever sent one of these gets an answer in words, or a connection that ends with its process.
  const answers = await Promise.all(
    stuck.map((body) =>
      call(site.address, '/v1/images?format=webp&quality=100', { method: 'POST', body }).then(
        ({ status }) => status,
        () => 0,
      ),
    ),
  );
  const odd = answers.filter((status) => ![0, 200, 422, 503].includes(status));
  if (odd.length > 0) violations.push(`stuck images were answered ${odd.join(', ')}`);
  if (!answers.includes(422)) violations.push(`none of the images overran: ${answers.join(', ')}`);
  await eventually(
    'every process serves again',
    () => allServe(site.program.log, forksOf(site.program.pid)),
    {
      timeoutMs: BACK_MS,
    },
  ).catch((error: unknown) => violations.push(String(error)));
  over.abort();

  const beats = await pulse;
  const { made, putOff, failed } = await ordinary;
  violations.push(...beats.failed.map((failure) => `/livez: ${failure}`));
  violations.push(...failed.map((failure) => `an ordinary image: ${failure}`));
  console.log(
    `  /livez ${beats.all} times, slowest ${Math.round(beats.slowestMs)} ms, ${beats.slow} over 200 ms; ordinary images: ${made} made, ${putOff} put off; answers to the stuck: ${answers.join(' ')}`,
  );
  if (beats.slow > 0.1 * beats.all) violations.push(`/livez was slow ${beats.slow} of ${beats.all} times`);
  if (made === 0) violations.push('no ordinary image was made');
  return {
    name: 'stuck images',
    jobs: 0,
    kills: site.kills,
    broken: 0,
    orphanMs: 0,
    ...(await reckon(site, [])),
    seconds: (performance.now() - begun) / 1000,
  };
}

function allServe(log: readonly { readonly msg: string }[], forks: readonly number[]): boolean {
  const served = log.findLastIndex(({ msg }) => msg === 'serving');
  const changed = log.findLastIndex(({ msg }) => /process died|is replaced/.test(msg));
  return served > changed && forks.length === 2;
}
