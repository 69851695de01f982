import { describe, expect, it } from 'vitest';
import { continueTrace, parseTraceParent, traceOf } from '../../src/lib/trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('reading', () => {
  it.each([
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`00-${TRACE}-${SPAN}-03`, true],
    // A later version may have more; what we know of it stays.
    [`cc-${TRACE}-${SPAN}-01`, true],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-brings`, true],
  ])('takes %s', (header, sampled) => {
    expect(parseTraceParent(header)).toEqual({ traceId: TRACE, parentId: SPAN, sampled });
  });

  it.each([
    undefined,
    '',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}-01.`,
    `cc-${TRACE}-${SPAN}-01.more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    ` 00-${TRACE}-${SPAN}-01`,
    // As Node gives a header that came twice.
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
    `cc-${TRACE}-${SPAN}-01-${'x'.repeat(600)}`,
  ])('takes %j for none', (header) => {
    expect(parseTraceParent(header)).toBeUndefined();
  });
});

describe('going on', () => {
  it('keeps the trace and whether it is recorded, and names a step of its own', () => {
    const step = parseTraceParent(continueTrace(`00-${TRACE}-${SPAN}-01`));
    expect(step).toEqual({ traceId: TRACE, parentId: expect.stringMatching(/^[\da-f]{16}$/), sampled: true });
    expect(step?.parentId).not.toBe(SPAN);
  });

  it.each([{}, { traceparent: 'nonsense' }])('begins a trace for %j', (headers) => {
    const [first, second] = [parseTraceParent(traceOf({ headers })), parseTraceParent(traceOf({ headers }))];
    expect(first).toMatchObject({ sampled: false });
    expect(first?.traceId).not.toBe(second?.traceId);
  });
});
