// FFmpeg and ffprobe as tests find them: the real ones behind scripts that know the answers to what every start asks.

import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/** What each server and each engine asks before it works (src/engines/ffmpeg-tools.ts), by the names of the answers. */
const QUESTIONS = {
  ffmpeg: {
    version: ['-version'],
    encoders: ['-hide_banner', '-encoders'],
    filters: ['-hide_banner', '-filters'],
  },
  ffprobe: { version: ['-version'] },
} as const;

type Tool = keyof typeof QUESTIONS;

const CACHE = join(import.meta.dirname, '../../node_modules/.cache/ffmpeg');

/**
 * A PATH that begins with a folder of stand-ins, or the same one where they are there already or the real ones are
 * not. A real start links some two hundred libraries, 60 ms of CPU, and each of a thousand servers asks four times: a
 * stand-in prints what the real one has printed once, and becomes it for everything else.
 */
export function withAnsweringFfmpeg(path: string, cache = CACHE): string {
  const folders = path.split(delimiter).filter((folder) => folder !== '');
  if (folders.some((folder) => folder.startsWith(cache))) return path;
  const real = { ffmpeg: inPath('ffmpeg', folders), ffprobe: inPath('ffprobe', folders) };
  if (real.ffmpeg === undefined || real.ffprobe === undefined) return path;
  const found = Object.entries(real).map(([tool, file]) => {
    const { size, mtimeMs } = statSync(file as string);
    return [tool, file, size, mtimeMs, QUESTIONS[tool as Tool]];
  });
  // Another FFmpeg, or a newer one, is asked anew.
  const place = join(cache, hash('sha256', JSON.stringify(found)).slice(0, 24));
  if (!existsSync(place)) {
    try {
      makeStandIns(place, real as Record<Tool, string>);
    } catch (error) {
      // One that does not answer is for the tests to complain of.
      if ((error as { status?: unknown }).status === undefined) throw error;
      return path;
    }
  }
  return [place, path].join(delimiter);
}

function inPath(tool: Tool, folders: readonly string[]): string | undefined {
  return folders.map((folder) => join(folder, tool)).find((file) => existsSync(file));
}

/** Made beside and renamed: another run may make the same at this moment. */
function makeStandIns(place: string, real: Readonly<Record<Tool, string>>): void {
  mkdirSync(dirname(place), { recursive: true });
  const draft = mkdtempSync(`${place}-draft-`);
  try {
    for (const [tool, questions] of Object.entries(QUESTIONS)) {
      const file = real[tool as Tool];
      const cases = Object.entries(questions).map(([name, args]) => {
        const answer = `${tool}-${name}.txt`;
        writeFileSync(join(draft, answer), execFileSync(file, args, { stdio: ['ignore', 'pipe', 'ignore'] }));
        return `'${args.length} ${args.join(' ')}') exec cat ${quoted(join(place, answer))} ;;`;
      });
      const lines = ['#!/bin/sh', 'case "$# $*" in', ...cases, 'esac', `exec ${quoted(file)} "$@"`];
      writeFileSync(join(draft, tool), `${lines.join('\n')}\n`, { mode: 0o755 });
    }
    chmodSync(draft, 0o755);
    renameSync(draft, place);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(place)) throw error;
  }
}

/** As one word of a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
