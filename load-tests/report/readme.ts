// The figures in load-tests/README.md, between two markers, drawn from a report.

import { withUnit } from '../format.ts';
import { machineLine } from '../machine.ts';
import { isMet } from '../scenario.ts';
import type { Report } from './report.ts';

export const BEGIN = '<!-- results: written by `npm run load -- all --write-readme` -->';
export const END = '<!-- end of results -->';

/** The text with everything between the markers replaced. Throws Error where they are not both there, in order. */
export function withResults(readme: string, report: Report): string {
  return withPart(readme, { begin: BEGIN, end: END }, results(report));
}

/** As `withResults`, with other markers. */
export function withPart(
  text: string,
  { begin, end }: { readonly begin: string; readonly end: string },
  part: string,
): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  if (from === -1 || to === -1) throw new Error(`the README has no ${from === -1 ? begin : end}`);
  return `${text.slice(0, from)}${begin}\n\n${part}\n\n${text.slice(to)}`;
}

function results({ date, machine, scenarios }: Report): string {
  const rows = scenarios.flatMap(({ figures }) =>
    figures.map((each) => {
      const { name, unit, target, median, min, max, measured, floor } = each;
      const goal = target === null ? '–' : `${target.op} ${withUnit(target.value, unit)}`;
      const missed = isMet(each) === false ? ', **missed**' : '';
      return `| ${name} | ${goal} | ${withUnit(median, unit)} (${withUnit(min, '')}–${withUnit(max, '')})${missed} | ${measured} | ${floor} |`;
    }),
  );
  return [
    `${date.slice(0, 10)}, commit ${machine.commit}: ${machineLine(machine)}.`,
    '',
    '| figure | target | median (least–most) | measured | floor |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
