// How a job is asked for: a form with the file, or JSON that names an upload or a URL.

import type { JobView } from '../jobs/job-view.ts';
import type { JobOptions, JobOrder, Source } from './options.ts';
import type { Call, Transport } from './transport.ts';

export async function orderJob(
  transport: Pick<Transport, 'json'>,
  { source, metadata, ...wanted }: JobOrder,
  options: JobOptions = {},
): Promise<JobView> {
  const { json } = transport;
  const { name, priority, webhook, idempotencyKey, signal } = options;
  const common: Call = { method: 'POST', creates: idempotencyKey ?? true, signal };
  if (!isBytes(source))
    return json('/v1/jobs', { ...common, json: { source, ...wanted, metadata, priority, webhook } });
  if (source instanceof ReadableStream) {
    // A form must be known in full, and a raw body has no room for a recipe.
    const file = await new Response(source).blob();
    return orderJob(transport, { ...wanted, source: file, metadata }, options);
  }
  const fields = {
    ...('recipe' in wanted ? { recipe: JSON.stringify(wanted.recipe) } : { preset: wanted.preset }),
    ...(metadata !== undefined && { metadata: JSON.stringify(metadata) }),
    ...(webhook !== undefined && { webhook }),
  };
  return json('/v1/jobs', { ...common, query: { priority }, body: formOf(source, name, fields) });
}

/** The fields first, so that a mistake in them is found before the file is sent. */
export function formOf(
  file: Exclude<Source, ReadableStream>,
  name: string | undefined,
  fields: Readonly<Record<string, string>> = {},
): FormData {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.append(field, value);
  const blob = file instanceof Blob ? file : new Blob([file]);
  form.append('file', blob, name ?? (file instanceof File ? file.name : 'file'));
  return form;
}

function isBytes(source: JobOrder['source']): source is Source {
  return (
    source instanceof Blob ||
    source instanceof ReadableStream ||
    source instanceof ArrayBuffer ||
    ArrayBuffer.isView(source)
  );
}
