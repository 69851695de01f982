// What the views share: the server, the session, the jobs, and the word that something is to be drawn anew.

import type { TemplateResult } from 'lit-html';
import type { Api, Session } from './api.ts';
import type { JobFeed } from './job-feed.ts';
import type { Operations } from './operations.ts';
import type { Orders } from './orders.ts';
import type { Transfers } from './transfers.ts';

export interface App {
  readonly api: Api;
  readonly jobs: JobFeed;
  readonly transfers: Transfers;
  /** Of the whole page: what was asked for is made, whatever view is open. */
  readonly orders: Orders;
  /** Asked for once. */
  operations(): Promise<Operations>;
  session(): Session | undefined;
  /** Draws the page soon; several calls draw it once. */
  redraw(): void;
  /** Tells it in words, to those who see and those who listen. */
  say(text: string, isProblem?: boolean): void;
  go(hash: string): void;
}

export interface View {
  readonly title: string;
  render(): TemplateResult;
  close(): void;
}

/** `argument`: what stands behind the view's name in the address. */
export type OpenView = (app: App, argument: string) => View;
