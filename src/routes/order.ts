// What a client orders of a source: recipe or preset, priority, metadata, webhook; from a form, a query or JSON.

import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Presets } from '../jobs/presets.ts';
import { recipeSchema } from '../jobs/recipe.ts';
import type { Recipe } from '../jobs/recipe.ts';
import { describeFields, fieldErrors } from '../lib/field-errors.ts';
import { parsePrefer } from '../lib/prefer.ts';
import { Problem } from '../problems.ts';
import { UPLOAD_PREFIX } from '../uploads/upload-names.ts';

export interface JobOrder {
  readonly recipe: Recipe;
  readonly priority?: number | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** As it came: whether it may be told is asked when the order is taken. */
  readonly webhook?: string | undefined;
}

/** Where the bytes of an order's source are. */
export type OrderSource = { readonly upload: string } | { readonly url: string };

const MAX_SOURCE_URL = 4000;

/** Of a job, in the query of what makes one. */
export const prioritySchema = z.coerce
  .number()
  .int()
  .min(-100)
  .max(100)
  .optional()
  .describe('Higher goes first');
export const webhookSchema = z
  .string()
  .min(1)
  .optional()
  .describe('https address that is told, by POST, when the job has ended');

export const orderQuery = z.strictObject({
  preset: z.string().min(1).max(64).optional().describe('Name of a preset, instead of a recipe in the form'),
  priority: prioritySchema,
  webhook: webhookSchema,
});
export type OrderQuery = z.output<typeof orderQuery>;

/** In the query of a request without a body. */
export const sourceSchema = z
  .string()
  .min(1)
  .max(MAX_SOURCE_URL)
  .optional()
  .describe(
    'Where the source is, instead of a body: `upload:{id}`, or the https address of what the job is to fetch',
  );

/** What a `source` of a query names. Throws `invalid_request` if the request has a body as well. */
export function sourceOf(source: string, { headers }: Pick<FastifyRequest, 'headers'>): OrderSource {
  if ((headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined) {
    const message = 'is instead of a body: send one of them';
    throw new Problem('invalid_request', `source: ${message}`, { errors: [{ field: 'source', message }] });
  }
  return source.startsWith(UPLOAD_PREFIX) ? { upload: source } : { url: source };
}

/** Names of the form's fields. */
export const ORDER_FIELDS = ['recipe', 'preset', 'metadata', 'webhook'] as const;

const metadataSchema = z
  .record(z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/), z.string().max(1024))
  .refine((entries) => Object.keys(entries).length <= 20, 'at most 20 entries');

/** A job by JSON. */
export const jsonOrderSchema = z
  .strictObject({
    source: z
      .strictObject({
        upload: z.string().min(1).max(100).optional().describe('Id of an upload, or `upload:{id}`'),
        url: z.string().min(1).max(MAX_SOURCE_URL).optional().describe('https address it is fetched from'),
      })
      .refine(
        ({ upload, url }) => (upload === undefined) !== (url === undefined),
        'must have `upload` or `url`, one of them',
      ),
    recipe: recipeSchema.optional(),
    preset: z.string().min(1).max(64).optional().describe('Name of a preset, instead of a recipe'),
    metadata: metadataSchema.optional(),
    priority: z.number().int().min(-100).max(100).optional().describe('Higher goes first'),
    webhook: webhookSchema,
  })
  .meta({ id: 'JobOrder' });

/** Undefined while nothing says what is wanted: fields may come after the file. */
export function orderFrom(
  fields: ReadonlyMap<string, string>,
  query: OrderQuery,
  presets: Presets,
): JobOrder | undefined {
  const recipe = fields.get('recipe');
  const metadata = fields.get('metadata');
  const preset = once('preset', fields.get('preset'), query.preset);
  // Before the recipe is read: whoever sends both is to hear of that first.
  if (recipe !== undefined && preset !== undefined) throw bothWays();
  return order(presets, {
    recipe: recipe === undefined ? undefined : parseField('recipe_invalid', 'recipe', recipe, recipeSchema),
    preset,
    priority: query.priority,
    webhook: once('webhook', fields.get('webhook'), query.webhook),
    metadata:
      metadata === undefined
        ? undefined
        : parseField('invalid_request', 'metadata', metadata, metadataSchema),
  });
}

/** The order that a body of JSON is. Throws `recipe_invalid`, `preset_unknown` or `invalid_request`. */
export function orderFromJson(
  body: unknown,
  query: OrderQuery,
  presets: Presets,
): { readonly order: JobOrder; readonly source: OrderSource } {
  const parsed = jsonOrderSchema.safeParse(body);
  if (!parsed.success) {
    const errors = fieldErrors(parsed.error.issues, 'body');
    const ofRecipe = errors.every(({ field }) => /^recipe(?:\.|$)/.test(field));
    throw new Problem(ofRecipe ? 'recipe_invalid' : 'invalid_request', describeFields(errors), { errors });
  }
  const { source, ...asked } = parsed.data;
  const found = order(presets, {
    recipe: asked.recipe,
    preset: once('preset', asked.preset, query.preset),
    priority: once('priority', asked.priority, query.priority),
    webhook: once('webhook', asked.webhook, query.webhook),
    metadata: asked.metadata,
  });
  if (found === undefined)
    throw new Problem('invalid_request', 'Say what to make of the source: send `recipe` or `preset`.');
  const { upload, url = '' } = source;
  return { order: found, source: upload === undefined ? { url } : { upload } };
}

function order(
  presets: Presets,
  asked: {
    readonly recipe: Recipe | undefined;
    readonly preset: string | undefined;
    readonly priority: number | undefined;
    readonly webhook: string | undefined;
    readonly metadata: Readonly<Record<string, string>> | undefined;
  },
): JobOrder | undefined {
  const { recipe, preset, ...extra } = asked;
  if (recipe !== undefined && preset !== undefined) throw bothWays();
  if (recipe !== undefined) return { recipe, ...extra };
  return preset === undefined ? undefined : { recipe: presetOf(presets, preset), ...extra };
}

const bothWays = (): Problem => new Problem('recipe_invalid', 'Send `recipe` or `preset`, not both.');

/** Whether an image is to become a job. */
export const prefersAsync = ({ headers }: Pick<FastifyRequest, 'headers'>): boolean =>
  parsePrefer(headers.prefer).respondAsync;

/** Refuses parameters of jobs where the answer comes at once. */
export function asyncOnly(params: Readonly<Record<string, unknown>>): void {
  const errors = Object.keys(params)
    .filter((name) => params[name] !== undefined)
    .map((field) => ({ field, message: 'is of jobs only: send `Prefer: respond-async`, or leave it out' }));
  if (errors.length > 0) throw new Problem('invalid_request', describeFields(errors), { errors });
}

/** What may stand in the body or in the query. */
function once<T>(name: string, inBody: T | undefined, inQuery: T | undefined): T | undefined {
  if (inBody === undefined || inQuery === undefined) return inBody ?? inQuery;
  const message = 'is in the body and in the query; send it once';
  throw new Problem('invalid_request', `${name}: ${message}`, { errors: [{ field: name, message }] });
}

function presetOf(presets: Presets, name: string): Recipe {
  const recipe = presets.get(name);
  if (recipe !== undefined) return recipe;
  const known =
    presets.size === 0 ? 'No presets are configured.' : `There are: ${[...presets.keys()].join(', ')}.`;
  throw new Problem('preset_unknown', `There is no preset ${JSON.stringify(name.slice(0, 100))}. ${known}`);
}

function parseField<S extends z.ZodType>(
  code: 'recipe_invalid' | 'invalid_request',
  name: string,
  text: string,
  schema: S,
): z.output<S> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Problem(
      'malformed_json',
      `The field "${name}" is not valid JSON: ${(error as Error).message.slice(0, 120)}.`,
      { cause: error },
    );
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const errors = fieldErrors(parsed.error.issues, name);
  throw new Problem(code, describeFields(errors), { errors });
}
