import { expect, it } from 'vitest';
import { newJob } from '../../src/jobs/job.ts';
import { viewJob } from '../../src/jobs/job-view.ts';

it('tells lengths to the microsecond, and of a webhook no query', () => {
  const job = newJob(
    {
      id: 'a',
      tenant: 'default',
      lane: 'video',
      source: {
        key: 'sources/a',
        name: 'clip.mov',
        mediaType: 'video/quicktime',
        bytes: 10,
        width: null,
        height: null,
        durationSeconds: 4.004_000_000_000_001,
      },
      recipe: { outputs: { out: { type: 'probe' }, other: { type: 'probe' } } },
    },
    1_000_000,
  );
  const result = {
    mediaType: 'video/mp4',
    bytes: 1,
    width: 1,
    height: 1,
    decisions: [],
    key: 'results/a/1/out.mp4',
  };
  const view = viewJob({
    ...job,
    results: {
      out: { ...result, durationSeconds: 11.999_999_999_999_998 },
      other: { ...result, durationSeconds: null },
    },
  });
  const hooked = viewJob({ ...job, webhook: { url: 'https://example.com/hook?token=secret#x' } });
  expect(hooked.webhook).toEqual({ url: 'https://example.com/hook' });
  expect(view.source.durationSeconds).toBe(4.004);
  expect(view.outputs.map(({ durationSeconds }) => durationSeconds)).toEqual([12, null]);
});
