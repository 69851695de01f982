// Jobs that are asked for while their files are still on the way: each is made as soon as its file is there.

import { ApiProblem, messageOf } from './api.ts';
import type { Api, Job } from './api.ts';
import type { JobFeed } from './job-feed.ts';
import type { Recipe } from './operations.ts';
import type { Transfer, Transfers } from './transfers.ts';

export type Wish = { readonly recipe: Recipe } | { readonly preset: string };

/** Beside the recipe. */
export interface Extras {
  readonly priority?: number | undefined;
  /** An https address. */
  readonly webhook?: string | undefined;
}

export interface Orders {
  /** `onJob`: called with each job that is made of them. `onProblem`: a recipe that the server does not take. */
  place(
    transfers: readonly Transfer[],
    wish: Wish & Extras,
    on: { readonly job: (job: Job) => void; readonly problem: (problem: ApiProblem) => void },
  ): void;
  isPlaced(transfer: Transfer): boolean;
  /** Forgets all that was not asked for yet, and the answers that are on their way. */
  clear(): void;
}

interface Order {
  readonly wish: Wish & Extras;
  readonly job: (job: Job) => void;
  readonly problem: (problem: ApiProblem) => void;
}

/** Under this name a job's metadata says of which upload it was made, so that it can be made again. */
export const UPLOAD_NOTE = 'console.upload';

const TRIES = 4;

/** The body of POST /v1/jobs for a stored upload. */
export const orderOf = (upload: string, wish: Wish & Extras): object => ({
  source: { upload },
  ...wish,
  metadata: { [UPLOAD_NOTE]: upload },
});

export function createOrders(api: Api, jobs: JobFeed, transfers: Transfers): Orders {
  const open = new Map<Transfer, Order>();
  /** Of whoever is signed in. */
  let visit = 0;
  const place = async (transfer: Transfer, { wish, job, problem }: Order): Promise<void> => {
    const began = visit;
    try {
      const made = await send(orderOf(transfer.uploadId ?? '', wish), began);
      if (visit !== began) return;
      transfer.jobId = made.id;
      jobs.put(made);
      job(made);
    } catch (error) {
      if (visit !== began) return;
      // What is wrong with the recipe is told at its fields, once for all files.
      const isOfRecipe = error instanceof ApiProblem && error.errors.length > 0;
      transfer.problem = isOfRecipe ? 'No job was made: the recipe was not taken.' : messageOf(error);
      problem(error instanceof ApiProblem ? error : new ApiProblem({ detail: messageOf(error) }));
    }
  };
  /** Again if the line breaks: with the same key, it is one job whatever got through. */
  const send = async (order: object, began: number): Promise<Job> => {
    // Browsers have randomUUID on HTTPS and this machine only.
    const key = [...crypto.getRandomValues(new Uint8Array(16))].map((each) => each.toString(36)).join('-');
    for (let tries = 1; ; tries++) {
      try {
        return await api.send<Job>('POST', '/v1/jobs', order, key);
      } catch (error) {
        if (tries === TRIES || !(error instanceof ApiProblem) || error.code !== 'unreachable') throw error;
        await new Promise((resolve) => setTimeout(resolve, tries * 1000));
        // With the key of somebody else by now.
        if (visit !== began) throw error;
      }
    }
  };
  const check = (): void => {
    for (const [transfer, order] of open) {
      if (!transfers.list().includes(transfer)) open.delete(transfer);
      if (transfer.status !== 'sent' || transfer.uploadId === undefined) continue;
      open.delete(transfer);
      void place(transfer, order);
    }
  };
  transfers.onChange(check);
  return {
    place(list, wish, on) {
      for (const transfer of list) {
        transfer.problem = undefined;
        open.set(transfer, { wish, ...on });
      }
      check();
    },
    isPlaced: (transfer) => open.has(transfer),
    clear() {
      visit++;
      open.clear();
    },
  };
}
