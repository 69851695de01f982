// What is counted comes out as Prometheus reads it, and adds up over processes.

import { describe, expect, it } from 'vitest';
import { lasting, merge, write } from '../../src/metrics/exposition.ts';
import { counter, gauge, histogram } from '../../src/metrics/instruments.ts';

describe('a counter', () => {
  it('counts by its labels', async () => {
    const requests = counter('requests_total', 'Requests', ['method', 'status']);
    requests.add(1, 'GET', '2xx');
    requests.add(2, 'GET', '2xx');
    requests.add(1, 'POST', '4xx');
    expect(requests.total()).toBe(4);
    expect(await write([[requests.snapshot()]])).toBe(
      [
        '# HELP requests_total Requests',
        '# TYPE requests_total counter',
        'requests_total{method="GET",status="2xx"} 3',
        'requests_total{method="POST",status="4xx"} 1',
        '',
      ].join('\n'),
    );
  });

  it('without labels is there from the start', () => {
    expect(counter('bytes_total', 'Bytes', []).snapshot().values).toEqual([{ value: 0, labels: {} }]);
  });

  it('keeps label values with quotes and new lines apart from its own text', async () => {
    const codes = counter('codes_total', 'Codes', ['code']);
    codes.add(1, 'a"b\\c');
    expect(await write([[codes.snapshot()]])).toContain(String.raw`codes_total{code="a\"b\\c"} 1`);
  });
});

describe('a histogram', () => {
  it('has cumulative buckets, a sum and a count', async () => {
    const seconds = histogram('seconds', 'Seconds', ['lane'], [0.1, 1]);
    for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value, 'image');
    const text = await write([[seconds.snapshot()]]);
    expect(text.split('\n').slice(1)).toEqual([
      '# TYPE seconds histogram',
      'seconds_bucket{lane="image",le="0.1"} 2',
      'seconds_bucket{lane="image",le="1"} 3',
      'seconds_bucket{lane="image",le="+Inf"} 4',
      'seconds_sum{lane="image"} 7.65',
      'seconds_count{lane="image"} 4',
      '',
    ]);
  });
});

describe('several processes', () => {
  const process = (requests: number, waiting: number, free: number) => {
    const all = counter('requests_total', 'Requests', []);
    all.add(requests);
    const times = histogram('seconds', 'Seconds', [], [1]);
    times.observe(requests);
    return [
      all.snapshot(),
      times.snapshot(),
      gauge('waiting', 'What all see alike', [], 'max', () => [[waiting]]).snapshot(),
      gauge('free', 'Free', [], 'min', () => [[free]]).snapshot(),
      gauge('open', 'Open', [], 'sum', () => [[1]]).snapshot(),
    ];
  };

  it('are added up, save what each of them says alike', async () => {
    const text = await write([process(2, 5, 100), process(0.5, 5, 90)]);
    expect(text).toContain('\nrequests_total 2.5\n');
    expect(text).toContain('\nseconds_bucket{le="1"} 1\n');
    expect(text).toContain('\nseconds_count 2\n');
    expect(text).toContain('\nwaiting 5\n');
    expect(text).toContain('\nfree 90\n');
    expect(text).toContain('\nopen 2\n');
  });

  it('leave their counters behind, and no gauge', async () => {
    const left = await merge([lasting(process(2, 5, 100)), lasting(process(3, 6, 90))]);
    expect(left.map(({ name }) => name)).toEqual(['requests_total', 'seconds']);
    // What was merged once is merged again with the next.
    const text = await write([await merge([left, lasting(process(1, 1, 1))])]);
    expect(text).toContain('\nrequests_total 6\n');
    expect(text).not.toContain('waiting');
  });
});
