// The reference as one page that needs no script to be read: all operations with their examples, and all schemas.

import { PROBLEMS } from '../../problems.ts';
import type { OpenApi, Operation } from '../openapi.ts';
import { code, html, prose } from './markup.ts';
import type { Markup } from './markup.ts';
import { fieldRow, fieldsOf, typeOf } from './schema.ts';
import type { Schema } from './schema.ts';

interface Entry {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

interface ParameterDoc {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
}

/** The whole page. */
export function referencePage(document: OpenApi): string {
  const { title, version, description } = document['info'] as Record<
    'title' | 'version' | 'description',
    string
  >;
  const tags = document['tags'] as readonly { readonly name: string; readonly description: string }[];
  const entries = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]): Entry => ({ method: method.toUpperCase(), path, operation }),
    ),
  );
  // Sent by the server, to addresses that are not its own.
  for (const [type, { post }] of Object.entries(document.webhooks))
    entries.push({ method: 'SENDS', path: type, operation: post });
  const groups = tags
    .map((tag) => ({ ...tag, entries: entries.filter(({ operation }) => operation.tags?.[0] === tag.name) }))
    .filter((group) => group.entries.length > 0);
  const schemas = Object.entries(document.components.schemas).toSorted(([a], [b]) => a.localeCompare(b));
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}: the reference</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/reference.css">
<script type="module" src="/docs/reference.js"></script>
</head>
<body>
<a class="skip" href="#content">To the content</a>
<nav aria-label="Operations">
<p class="name"><a href="/">${title}</a> <small>${version}</small></p>
<label>Search <input type="search" id="search" autocomplete="off" placeholder="width, cancel, 429 …"></label>
${groups.map(
  (group) =>
    html`<section><h2><a href="#tag-${group.name}">${group.name}</a></h2><ul>${group.entries.map(
      ({ method, operation }) =>
        html`<li><a href="#${operation.operationId ?? ''}"><b class="${method.toLowerCase()}">${method}</b> ${operation.summary ?? ''}</a></li>`,
    )}</ul></section>`,
)}
<section><h2>problems</h2><ul><li><a href="#problem-codes">All codes</a></li></ul></section>
<section><h2>schemas</h2><ul>${schemas.map(([name]) => html`<li><a href="#schema-${name}">${name}</a></li>`)}</ul></section>
</nav>
<main id="content">
<header><h1>${title}</h1>${prose(description)}<p>The same for programs: <a href="/openapi.json">openapi.json</a>.</p></header>
<p id="nothing" hidden>Nothing fits.</p>
${groups.map(
  (group) =>
    html`<h2 class="tag" id="tag-${group.name}">${group.name} <small>${group.description}</small></h2>${group.entries.map((entry) => section(entry, document))}`,
)}
<h2 class="tag" id="problems">problems <small>The code of what is refused, or why a job has failed</small></h2>
<section class="operation" id="problem-codes"><dl class="fields">${Object.entries(PROBLEMS).map(
    ([name, { status, title }]) =>
      html`<dt id="${name}">${code(name)} <span class="type">${String(status)}</span></dt><dd>${title}</dd>`,
  )}</dl></section>
<h2 class="tag" id="schemas">schemas</h2>
${schemas.map(
  ([name, schema]) =>
    html`<section class="operation" id="schema-${name}"><h3>${name}</h3>${described(schema as Schema)}${fieldsOf(schema as Schema)}</section>`,
)}
</main>
</body>
</html>
`.markup;
}

function section({ method, path, operation }: Entry, document: OpenApi): Markup {
  const parameters = (operation.parameters ?? []).map((each) => resolved(each, document));
  return html`<section class="operation" id="${operation.operationId ?? ''}">
<div class="about">
<h3><a href="#${operation.operationId ?? ''}">${operation.summary ?? ''}</a></h3>
<p class="address"><b class="${method.toLowerCase()}">${method}</b> ${code(path)}</p>
${prose(operation.description ?? '')}
${(['path', 'query', 'header'] as const).map((place) =>
  parameterList(
    place,
    parameters.filter((each) => each.in === place),
  ),
)}
${body(operation.requestBody)}
<h4>Answers</h4>
${Object.entries(operation.responses).map(([status, answer]) => answerOf(status, answer))}
</div>
<div class="samples">${samples(operation)}</div>
</section>`;
}

const PLACES = { path: 'In the path', query: 'Parameters', header: 'Headers' } as const;

function parameterList(place: keyof typeof PLACES, parameters: readonly ParameterDoc[]): Markup {
  if (parameters.length === 0) return html``;
  const list = html`<dl class="fields">${parameters.map(
    ({ name, required = false, schema = {}, description }) =>
      fieldRow({ name, schema, required, description }),
  )}</dl>`;
  // Of the images alone there are dozens.
  return parameters.length > 12
    ? html`<details class="long"><summary>${PLACES[place]}: ${String(parameters.length)}</summary>${list}</details>`
    : html`<h4>${PLACES[place]}</h4>${list}`;
}

function body(requestBody: Operation['requestBody']): Markup {
  if (requestBody === undefined) return html``;
  return html`<h4>Body</h4>${prose(requestBody.description ?? '')}${Object.entries(requestBody.content).map(
    ([type, { schema }]) => content(type, schema as Schema),
  )}`;
}

function content(type: string, schema: Schema): Markup {
  const fields = fieldsOf(schema);
  return fields.markup === ''
    ? html`<p>${code(type)} <span class="type">${typeOf(schema)}</span></p>`
    : html`<details><summary>${code(type)}</summary>${fields}</details>`;
}

function answerOf(
  status: string,
  { description, headers = {}, content: contents = {} }: Operation['responses'][string],
): Markup {
  const names = Object.keys(headers);
  const kind = Number(status) < 400 ? 'fine' : 'refused';
  const bodies =
    Number(status) < 400
      ? Object.entries(contents).map(([type, { schema }]) => content(type, schema as Schema))
      : [];
  return html`<details class="${kind}"><summary><b>${status}</b> <span>${prose(description, true)}</span></summary>${bodies}${
    names.length === 0 ? '' : html`<p>Headers: ${names.map((name) => html`${code(name)} `)}</p>`
  }</details>`;
}

function samples(operation: Operation): Markup {
  const given = (operation['x-codeSamples'] ?? []) as readonly {
    readonly label: string;
    readonly source: string;
  }[];
  const sent = Object.values(operation.requestBody?.content ?? {}).find(
    ({ example }) => example !== undefined,
  );
  const [answer] = Object.entries(operation.responses).filter(([status]) => status.startsWith('2'));
  const example = answer?.[1].content?.['application/json']?.['example'];
  return html`${given.map(({ label, source }) => html`<figure><figcaption>${label}</figcaption><pre tabindex="0"><code>${source}</code></pre></figure>`)}${sent === undefined ? '' : shown('Body', sent['example'])}${
    example === undefined ? '' : shown(answer?.[0] ?? '', example)
  }`;
}

function shown(caption: string, example: unknown): Markup {
  return html`<figure><figcaption>${caption}</figcaption><pre tabindex="0"><code>${JSON.stringify(example, null, 2)}</code></pre></figure>`;
}

function described({ description }: Schema): Markup {
  return description === undefined ? html`` : prose(description);
}

function resolved(parameter: Readonly<Record<string, unknown>>, { components }: OpenApi): ParameterDoc {
  const { $ref } = parameter;
  if (typeof $ref !== 'string') return parameter as unknown as ParameterDoc;
  return components['parameters']?.[$ref.split('/').at(-1) ?? ''] as ParameterDoc;
}
