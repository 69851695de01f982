// A job as examples show it.

import type { JobView } from '../../jobs/job-view.ts';

const id = '01m7zq8v3w6x9y2b4d6f8h0j2k4m6n8p0q2r';
const self = `/v1/jobs/${id}`;

export const exampleJob: JobView = {
  id,
  status: 'running',
  phase: 'processing',
  progress: 0.42,
  speed: 2.4,
  etaSeconds: 12.3,
  createdAt: '2026-11-22T12:00:00.000Z',
  startedAt: '2026-11-22T12:00:00.120Z',
  finishedAt: null,
  expiresAt: null,
  attempt: 1,
  priority: 0,
  source: {
    name: 'clip.mov',
    url: null,
    mediaType: 'video/quicktime',
    bytes: 18_734_211,
    width: 1920,
    height: 1080,
    durationSeconds: 12.5,
  },
  recipe: { outputs: { video: { type: 'transcode', height: 720 } } },
  outputs: [
    {
      name: 'video',
      type: 'transcode',
      status: 'running',
      mediaType: null,
      bytes: null,
      width: null,
      height: null,
      durationSeconds: null,
      url: null,
      decisions: [],
    },
  ],
  problem: null,
  warnings: [],
  metadata: {},
  webhook: null,
  trace: null,
  links: { self, events: `${self}/events`, deliveries: `${self}/deliveries`, cancel: `${self}/cancel` },
};
