// Who may send now: places of each tenant and each host, so that neither much of one nor the trouble of another holds up the rest.

export interface Places {
  /**
   * Takes a place; undefined if there is none for this tenant or host. It is given back by calling what it resolves to:
   * with whether the host took the message, or undefined if nothing was sent. Twice is harmless.
   */
  enter(tenant: string, host: string): ((ok: boolean | undefined) => void) | undefined;
  /** How many messages of a tenant are on their way. */
  underway(tenant: string): number;
  /** When one that found no place may be looked at again: about when those before it have gone. Milliseconds since 1970. */
  later(tenant: string, host: string): number;
}

export interface PlacesOptions {
  readonly perTenant: number;
  readonly perHost: number;
  /** For all hosts together that have not taken a message yet, or not the last one; each of them has one. */
  readonly forDoubtful: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Gives 0–1. */
  readonly random?: () => number;
}

interface Lane {
  busy: number;
  /** Of a host: whether it took the last message. */
  isWell: boolean;
  /** Milliseconds that a message takes, about. */
  ms: number;
  /** When the last one that was put off may come. */
  next: number;
}

/** Before anything is known. */
const GUESSED_MS = 100;
const LEAST_GAP_MS = 2;
/** Nothing is put off for longer: who was in trouble may be well again. */
const LONGEST_MS = 30_000;
/** Tenants, and hosts, that are remembered; past so many the oldest that is idle is forgotten. */
const MOST_REMEMBERED = 1000;

export function openPlaces(options: PlacesOptions): Places {
  const { perTenant, perHost, forDoubtful, now, random = Math.random } = options;
  const tenants = new Map<string, Lane>();
  const hosts = new Map<string, Lane>();
  let doubtful = 0;

  function putOff(lane: Lane, width: number): number {
    const next = Math.max(lane.next, now()) + Math.max(lane.ms / width, LEAST_GAP_MS);
    if (next > now() + LONGEST_MS) return now() + LONGEST_MS * (0.5 + random() / 2);
    lane.next = next;
    return next;
  }

  return {
    enter(tenant, host) {
      const [own, there] = [laneOf(tenants, tenant), laneOf(hosts, host)];
      const isDoubtful = !there.isWell;
      if (own.busy >= perTenant || there.busy >= (isDoubtful ? 1 : perHost)) return undefined;
      if (isDoubtful && doubtful >= forDoubtful) return undefined;
      own.busy++;
      there.busy++;
      if (isDoubtful) doubtful++;
      const begun = now();
      let left = false;
      return (ok) => {
        if (left) return;
        left = true;
        own.busy--;
        there.busy--;
        if (isDoubtful) doubtful--;
        if (ok === undefined) return;
        there.isWell = ok;
        for (const lane of [own, there]) lane.ms += (now() - begun - lane.ms) / 4;
      };
    },
    underway: (tenant) => tenants.get(tenant)?.busy ?? 0,
    later(tenant, host) {
      const there = laneOf(hosts, host);
      const width = there.isWell ? perHost : 1;
      return Math.ceil(Math.max(putOff(laneOf(tenants, tenant), perTenant), putOff(there, width)));
    },
  };
}

/** The lane of that name, as the youngest of all. */
function laneOf(lanes: Map<string, Lane>, name: string): Lane {
  const lane = lanes.get(name) ?? { busy: 0, isWell: false, ms: GUESSED_MS, next: 0 };
  lanes.delete(name);
  lanes.set(name, lane);
  if (lanes.size > MOST_REMEMBERED) forgetOne(lanes);
  return lane;
}

function forgetOne(lanes: Map<string, Lane>): void {
  for (const [name, { busy }] of lanes) {
    if (busy > 0) continue;
    lanes.delete(name);
    return;
  }
}
