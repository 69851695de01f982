// A fleet of 1 to 64 hosts, as a model: what one of each thing costs is measured here, how many fit is computed from it.

import { digits } from '../format.ts';
import { measure } from '../fleet/measure.ts';
import type { MeasureSettings } from '../fleet/measure.ts';
import { firstLimit, loadOf, REDIS_BUSY, whenBusy, WORKLOADS } from '../fleet/model.ts';
import type { Host } from '../fleet/model.ts';
import { HOSTS, scalingText } from '../fleet/page.ts';
import { drawScaling } from '../fleet/plot.ts';
import { PHONE_PHOTO, SMALL_PHOTO } from '../media.ts';
import { figure } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';

export interface FleetModelSettings extends MeasureSettings {
  /** A host of the model. */
  readonly host: Host;
}

export const fleetModel: Scenario<FleetModelSettings> = {
  name: 'fleet-model',
  title: 'A fleet on one Redis and one S3 store: where the first limit lies',
  full: {
    rounds: 3,
    seconds: 20,
    images: 40,
    photo: PHONE_PHOTO,
    clips: [3, 12],
    lines: [1080, 360],
    streams: 20,
    busyJobs: 5000,
    host: { cores: 16, processes: 16 },
  },
  quick: {
    rounds: 1,
    seconds: 0.5,
    images: 3,
    photo: SMALL_PHOTO,
    clips: [1, 2],
    lines: [180, 90],
    streams: 2,
    busyJobs: 30,
    host: { cores: 16, processes: 16 },
  },
  async run({ host, ...settings }, context) {
    const measured = await measure(settings, context);
    const known = whenBusy(measured, measured.busy.commandSeconds);
    const lines = WORKLOADS.map((workload) => ({
      name: workload.name,
      points: HOSTS.map((hosts) => [hosts, loadOf(known, workload, host, hosts).redisSeconds] as const),
    }));
    const title = 'CPU of Redis, in cores';
    const charts = [
      {
        title,
        x: { label: 'hosts', ticks: HOSTS.map(String) },
        y: { label: 'cores' },
        series: lines.map(({ name, points }) => ({
          name,
          points: points.map(([, cores], at) => [at, cores] as const),
        })),
        limit: { label: `${REDIS_BUSY * 100} % of one`, y: REDIS_BUSY },
      },
    ];
    const { commands, s3Requests } = measured.image;
    return {
      figures: [
        figure(
          'Redis for an image job',
          measured.perRound.map((seconds) => seconds * 1e6),
          {
            unit: 'µs',
            measured: `${digits(commands)} commands, ${digits(s3Requests)} requests to the store`,
            floor: 'none',
          },
        ),
        ...WORKLOADS.map((workload) => {
          const { hosts, resource } = firstLimit(known, workload, host);
          return figure(`hosts until the first limit, ${workload.name}`, [hosts], {
            measured: resource.name,
            floor: 'none',
          });
        }),
      ],
      charts,
      notes: measured.media,
      documents: [
        { path: 'docs/scaling.md', name: 'figures', text: scalingText(measured, host, settings) },
        { path: 'docs/images/scaling.svg', text: drawScaling(title, lines, REDIS_BUSY) },
      ],
    };
  },
};
