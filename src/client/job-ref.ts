// How calls name a job: by its id, or by the job itself.

import type { JobView } from '../jobs/job-view.ts';

export type JobRef = string | Pick<JobView, 'id'>;

export const idOf = (job: JobRef): string => (typeof job === 'string' ? job : job.id);
