// A Chromium of this machine, in which tests see results as a visitor does.

import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';

/** As scripts/setup looks for them. */
const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];

type Environment = Readonly<Record<string, string | undefined>>;

/** The path of the browser. Undefined if there is none; throws if CHROMIUM_PATH leads nowhere. */
export function findBrowser(env: Environment = process.env): string | undefined {
  const named = env['CHROMIUM_PATH'] ?? '';
  if (named !== '') {
    const found = named.includes('/') ? programAt(named) : onPath(named, env);
    if (found !== undefined) return found;
    throw new Error(`CHROMIUM_PATH=${named} does not lead to a program. Correct it, or unset it.`);
  }
  for (const program of PROGRAMS) {
    const found = onPath(program, env);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * For `describe.skipIf(browserIsMissing())`. True where there is no browser, and says so. With CI=true it throws
 * instead: there, what was left out would pass for what works.
 */
export function browserIsMissing(env: Environment = process.env): boolean {
  if (findBrowser(env) !== undefined) return false;
  const problem = `There is no browser: none of ${PROGRAMS.join(', ')} is on the PATH, and CHROMIUM_PATH is not set.`;
  if (env['CI'] === 'true') throw new Error(`${problem} With CI=true the browser tests must run.`);
  console.warn(`${problem} The browser tests are SKIPPED. ./scripts/setup test says how to get one.`);
  return true;
}

/** Headless, free to play without a click. Closes with `await using`. */
export async function openBrowser(): Promise<Browser> {
  const executablePath = findBrowser();
  if (executablePath === undefined) throw new Error('There is no browser: ask browserIsMissing() first.');
  return chromium.launch({
    executablePath,
    headless: true,
    // Chromium's sandbox refuses to start for root.
    chromiumSandbox: process.getuid?.() !== 0,
    args: ['--autoplay-policy=no-user-gesture-required'],
  });
}

function onPath(program: string, env: Environment): string | undefined {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => programAt(join(folder, program))).find((found) => found !== undefined);
}

function programAt(path: string): string | undefined {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile() ? path : undefined;
  } catch {
    return undefined;
  }
}
