// What `mediamill --help` says, and `mediamill COMMAND --help`.

import type { Command } from './command.ts';

const OPTIONS = `Options
  -o, --output PATH   where the result goes; - is standard output
      --json          one JSON document on standard output, and nothing else there
  -q, --quiet         no progress, no remarks
      --server URL    the server; or MEDIAMILL_URL; http://127.0.0.1:3000 unless told
      --key KEY       the key for it; better in MEDIAMILL_KEY, where other users do not see it
  -h, --help          this, or the help of a command
      --version       which version this is

Any other --name value is a parameter for the server, which checks it. Its value follows it or stands behind =;
without one it means true: write --grayscale=true where a file comes next.

Exit codes: 0 done, 1 the job failed, 2 the command line is wrong, 3 the server refused, 4 it cannot be reached,
130 interrupted.`;

export function usage(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const list = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n');
  return `mediamill COMMAND …, a client of a Mediamill server

Commands
${list}

${OPTIONS}

Examples
  mediamill resize photo.jpg --width 800 -o small.webp
  mediamill transcode clip.mov --height 720
  mediamill hls clip.mov --heights 1080,720 -o stream
  cat photo.jpg | mediamill convert - --format avif -o - > photo.avif
`;
}

export function usageOf({ name, takes, summary, help }: Command): string {
  return `mediamill ${name} ${takes}

${summary}.
${help.map((line) => `${line}\n`).join('')}
${OPTIONS}
`;
}
