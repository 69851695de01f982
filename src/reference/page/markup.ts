// HTML from text that is escaped unless it is markup already.

import { escapeMarkup } from '../../lib/escape-markup.ts';

export interface Markup {
  readonly markup: string;
}

type Part = string | Markup | readonly Part[];

export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return raw(
    texts.map((text, index) => `${text}${index < parts.length ? textOf(parts[index]!) : ''}`).join(''),
  );
}

export const raw = (markup: string): Markup => ({ markup });
export const code = (text: string): Markup => html`<code>${text}</code>`;

/** Paragraphs with `code` in them, as descriptions are written. `inline`: without the paragraphs. */
export function prose(text: string, inline = false): Markup {
  const pieces = (paragraph: string): Part[] =>
    paragraph.split('`').map((piece, index) => (index % 2 === 1 ? code(piece) : piece));
  if (inline) return html`${pieces(text)}`;
  return html`${text.split(/\n{2,}/).map((paragraph) => html`<p>${pieces(paragraph)}</p>`)}`;
}

function textOf(part: Part): string {
  if (typeof part === 'string') return escapeMarkup(part);
  return 'markup' in part ? part.markup : part.map(textOf).join('');
}
