// The OpenAPI document: whole, consistent in itself, and the same operations as the server has.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROBLEMS } from '../../src/problems.ts';
import type { OpenApi, Operation } from '../../src/reference/openapi.ts';
import { operationDocs } from '../../src/reference/operation-docs.ts';
import { startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { holdAgainst } from './json-schema.ts';

let server: TestServer;
let document: OpenApi;
let operations: [string, Operation][];

beforeAll(async () => {
  server = await startTestServer();
  document = (await (await server.request('/openapi.json')).json()) as OpenApi;
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  );
});
afterAll(() => server[Symbol.asyncDispose]());

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly description?: string;
}

const lacking = (lacks: (operation: Operation, name: string) => boolean): string[] =>
  operations.filter(([name, operation]) => lacks(operation, name)).map(([name]) => name);

function resolved(pointer: string): unknown {
  return pointer
    .replace(/^#\//, '')
    .split('/')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], document);
}

describe('the OpenAPI document', () => {
  it('is of version 3.1 and has all operations of the tables, and no other', () => {
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'Mediamill' } });
    expect(operations.map(([name]) => name).toSorted()).toEqual(Object.keys(operationDocs).toSorted());
  });

  it('has one name for each operation, and says what it is', () => {
    const names = operations.map(([, { operationId }]) => operationId);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z][A-Za-z]+$/);
    expect(lacking(({ summary }) => (summary ?? '') === '')).toEqual([]);
    expect(lacking(({ description }) => (description ?? '') === '')).toEqual([]);
    const tags = (document['tags'] as { name: string }[]).map(({ name }) => name);
    expect(lacking((operation) => operation.tags?.some((tag) => tags.includes(tag)) !== true)).toEqual([]);
    expect(lacking(({ security }) => security === undefined)).toEqual([]);
  });

  it('describes every parameter', () => {
    const undescribed = operations.flatMap(([name, { parameters = [] }]) =>
      parameters
        .map((each) => ('$ref' in each ? resolved(String(each['$ref'])) : each) as Parameter)
        .filter(({ description = '' }) => description === '')
        .map((parameter) => `${name}: ${parameter.in} ${parameter.name}`),
    );
    expect(undescribed).toEqual([]);
  });

  it('declares the parameters that stand in each path', () => {
    const wrong = lacking(({ parameters = [] }, name) => {
      const inPath = [...name.matchAll(/\{([^}]+)\}/g)].map(([, each = '']) => each).toSorted();
      const declared = parameters.filter((each) => each['in'] === 'path').map((each) => String(each['name']));
      return inPath.join() !== declared.toSorted().join();
    });
    expect(wrong).toEqual([]);
    for (const [name, { parameters = [] }] of operations)
      for (const each of parameters.filter(({ in: place }) => place === 'path'))
        expect(each, name).toMatchObject({ required: true, schema: expect.anything() as unknown });
  });

  it('has what OpenAPI asks for in each place', () => {
    const schemes = Object.keys(document.components['securitySchemes'] ?? {});
    for (const [name, { parameters = [], responses, security }] of operations) {
      for (const each of parameters.filter((one) => !('$ref' in one))) {
        expect(['query', 'path', 'header', 'cookie'], name).toContain(each['in']);
        expect(each, name).toHaveProperty('schema');
      }
      const keys = parameters.map((each) => JSON.stringify([each['in'], each['name'], each['$ref']]));
      expect(new Set(keys).size, name).toBe(keys.length);
      for (const status of Object.keys(responses)) expect(status, name).toMatch(/^[2345]\d\d$/);
      for (const each of security as object[])
        expect(schemes).toEqual(expect.arrayContaining(Object.keys(each)));
    }
    expect(JSON.stringify(document)).not.toMatch(/#\/\$defs|x-mediamill/);
  });

  it('has nothing but references that lead somewhere', () => {
    const pointers = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
      ([, each = '']) => each,
    );
    expect(pointers.length).toBeGreaterThan(100);
    expect([...new Set(pointers)].filter((each) => resolved(each) === undefined)).toEqual([]);
  });

  it('says what each answer is, and every refusal by codes of the table', () => {
    for (const [name, { responses }] of operations) {
      expect(
        Object.keys(responses).some((status) => /^[23]/.test(status)),
        name,
      ).toBe(true);
      expect(Object.keys(responses), name).toContain('400');
      for (const [status, { description, content = {} }] of Object.entries(responses)) {
        expect(description, `${name} ${status}`).not.toBe('');
        const problem = content['application/problem+json'];
        if (Number(status) < 400 || problem === undefined) continue;
        const { example } = problem as { example: { code: keyof typeof PROBLEMS } };
        expect(PROBLEMS[example.code].status, `${name} ${status}`).toBe(Number(status));
      }
    }
  });

  it('has examples of answers and bodies that fit their schemas', () => {
    let held = 0;
    for (const [name, { responses, requestBody }] of operations) {
      const bodies = [requestBody, ...Object.values(responses)].flatMap((each) =>
        Object.values(each?.content ?? {}),
      );
      for (const { schema, example } of bodies) {
        if (example === undefined) continue;
        expect(() => holdAgainst(document, schema, example), name).not.toThrow();
        held++;
      }
    }
    expect(held).toBeGreaterThan(50);
  });

  it('names a body for whatever takes one', () => {
    const bodiless = ['cancelJob', 'rotateWebhookSecret', 'testWebhook', 'replayDelivery', 'openSession'];
    expect(
      lacking(
        ({ requestBody, operationId = '' }, name) =>
          /^(?:POST|PUT|PATCH) /.test(name) && requestBody === undefined && !bodiless.includes(operationId),
      ),
    ).toEqual([]);
  });
});
