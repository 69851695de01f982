// Makes the README's pictures: a landscape of our own, and what a running server makes of it.
// Usage: node scripts/pictures.ts [http://127.0.0.1:3000]

import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { flight, landscape } from './pictures/landscape.ts';

const server = process.argv[2] ?? 'http://127.0.0.1:3000';
const folder = resolve(import.meta.dirname, '../docs/images');

const before = await landscape();
await mkdir(folder, { recursive: true });
const renditions: Record<string, string> = {
  'before.jpg': 'width=800&format=jpeg&quality=70',
  'after-small.webp': 'width=400&format=webp',
  'after-square.webp': 'width=267&height=267&fit=cover&position=attention&format=webp',
  'after-crop.webp': 'crop=1250,480,800,800&width=267&format=webp',
  'after-rotated.webp': 'width=300&rotate=12&format=webp',
};
for (const [name, query] of Object.entries(renditions)) {
  const response = await fetch(`${server}/v1/images?${query}`, { method: 'POST', body: before });
  if (!response.ok) throw new Error(`${query}: ${await response.text()}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  await writeFile(join(folder, name), bytes);
  console.log(`${name.padEnd(20)} ${String(bytes.length).padStart(7)} bytes  ?${query}`);
}
console.log(`the source has ${before.length} bytes`);

const form = new FormData();
const outputs = {
  strip: { type: 'storyboard', everySeconds: 1.2, columns: 10, rows: 1, width: 120, quality: 80 },
  loop: { type: 'preview', moments: 4, secondsEach: 1, width: 240, fps: 8, quality: 40 },
  wave: { type: 'waveform', width: 600, height: 90 },
};
form.append('recipe', JSON.stringify({ outputs }));
form.append('file', new Blob([await flight(before)]), 'flight.mp4');
const accepted = (await (await fetch(`${server}/v1/jobs`, { method: 'POST', body: form })).json()) as {
  id: string;
};
const job = (await (await fetch(`${server}/v1/jobs/${accepted.id}?wait=60`)).json()) as { status: string };
if (job.status !== 'succeeded') throw new Error(JSON.stringify(job));
const kept = {
  'video-storyboard.jpg': 'strip/sprite-001.jpg',
  'video-preview.webp': 'loop',
  'video-waveform.png': 'wave/waveform.png',
};
for (const [name, output] of Object.entries(kept)) {
  const response = await fetch(`${server}/v1/jobs/${accepted.id}/outputs/${output}`);
  if (!response.ok) throw new Error(`${output}: ${await response.text()}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  await writeFile(join(folder, name), bytes);
  console.log(`${name.padEnd(20)} ${String(bytes.length).padStart(7)} bytes  ${output}`);
}
