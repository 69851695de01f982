import { beforeEach, describe, expect, it } from 'vitest';
import { openPlaces } from '../../src/webhooks/places.ts';
import type { Places } from '../../src/webhooks/places.ts';

const GIVEN_UP_MS = 15_000;
const LONGEST_MS = 30_000;

let time: number;
let places: Places;
beforeEach(() => {
  time = 1_000_000;
  places = openPlaces({ perTenant: 3, perHost: 2, forDoubtful: 4, now: () => time, random: () => 1 });
});

const enters = (tenant: string, host: string): boolean => places.enter(tenant, host) !== undefined;
/** Once there and back. */
const send = (tenant: string, host: string, ok: boolean | undefined, ms = 0): void => {
  const leave = places.enter(tenant, host);
  time += ms;
  leave?.(ok);
};

describe('the places of a host', () => {
  it('are one until it took a message, then two, and one again after a failure', () => {
    expect([enters('t', 'new'), enters('t', 'new')]).toEqual([true, false]);
    send('t', 'well', true);
    expect([enters('u', 'well'), enters('u', 'well'), enters('u', 'well')]).toEqual([true, true, false]);
    send('v', 'ill', true);
    send('v', 'ill', false);
    expect([enters('v', 'ill'), enters('v', 'ill')]).toEqual([true, false]);
  });

  it('are not more because a message for it was not sent', () => {
    send('t', 'new', undefined);
    expect([enters('t', 'new'), enters('t', 'new')]).toEqual([true, false]);
  });

  it('that is new, or failed last, are four for all together, so that those that answer have theirs', () => {
    send('b', 'well', true);
    const hosts = ['one', 'two', 'three', 'four', 'five'];
    const leaves = hosts.map((host) => places.enter(`tenant of ${host}`, host));
    expect(leaves.map((leave) => leave !== undefined)).toEqual([true, true, true, true, false]);
    expect(enters('b', 'well')).toBe(true);
    leaves[0]?.(false);
    leaves[0]?.(false);
    expect([enters('x', 'five'), enters('y', 'six')]).toEqual([true, false]);
  });

  it('are remembered of the latest thousand hosts', () => {
    for (let i = 0; i < 1100; i++) send('t', `host ${i}`, true);
    const busy = (host: string): boolean[] => [enters(`to ${host}`, host), enters(`to ${host}`, host)];
    expect(busy('host 1099')).toEqual([true, true]);
    expect(busy('host 0')).toEqual([true, false]);
  });
});

it('the places of a tenant are three, whatever its hosts', () => {
  const hosts = ['one', 'two', 'three', 'four'];
  for (const host of hosts) send('t', host, true);
  expect(hosts.map((host) => enters('t', host))).toEqual([true, true, true, false]);
  expect(places.underway('t')).toBe(3);
  expect(enters('u', 'four')).toBe(true);
});

describe('what finds no place', () => {
  it('comes again one after the other, as fast as its host takes them', () => {
    for (let i = 0; i < 30; i++) send('t', 'well', true, 40);
    const steps = Array.from({ length: 100 }, () => places.later('t', 'well') - time);
    const gaps = steps.slice(1).map((step, i) => step - (steps[i] ?? 0));
    for (const gap of gaps) expect(Math.abs(gap - 20)).toBeLessThanOrEqual(2);
  });

  it('never comes later than half a minute from now, and never at once', () => {
    for (let i = 0; i < 30; i++) send('t', 'mute', false, GIVEN_UP_MS);
    for (let i = 0; i < 1000; i++) {
      const wait = places.later('t', 'mute') - time;
      expect(wait).toBeGreaterThan(0);
      expect(wait).toBeLessThanOrEqual(LONGEST_MS);
    }
  });

  it('of one tenant comes again no faster because it has many hosts', () => {
    const waits = Array.from({ length: 100 }, (_, i) => places.later('t', `host ${i}`) - time);
    expect(waits.at(-1)).toBeGreaterThan(3000);
  });
});
