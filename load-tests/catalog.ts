// All scenarios, and the names by which they can be asked for.

import type { Scenario } from './scenario.ts';
import { chunked } from './scenarios/chunked.ts';
import { fleetModel } from './scenarios/fleet-model.ts';
import { fleetFilm } from './scenarios/fleet-film.ts';
import { image } from './scenarios/image.ts';
import { imageCache } from './scenarios/image-cache.ts';
import { imageSet } from './scenarios/image-set.ts';
import { isolation } from './scenarios/isolation.ts';
import { ladder } from './scenarios/ladder.ts';
import { memory } from './scenarios/memory.ts';
import { remux } from './scenarios/remux.ts';
import { renditions } from './scenarios/renditions.ts';
import { start } from './scenarios/start.ts';
import { status } from './scenarios/status.ts';
import { transcode } from './scenarios/transcode.ts';

const GROUPS: Readonly<Record<string, readonly Scenario[]>> = {
  image: [image, imageSet, imageCache],
  video: [transcode, ladder, renditions, chunked, remux],
  status: [status],
  mixed: [isolation],
  memory: [memory],
};

/** What each name on the command line means. `start` downloads packages and `fleet-model` wants a Redis, so `all` leaves them out. */
export const NAMES: Readonly<Record<string, readonly Scenario[]>> = {
  ...GROUPS,
  all: Object.values(GROUPS).flat(),
  ...Object.fromEntries(
    [
      imageSet,
      imageCache,
      transcode,
      ladder,
      renditions,
      chunked,
      remux,
      isolation,
      start,
      fleetFilm,
      fleetModel,
    ].map((each) => [each.name, [each]]),
  ),
};
