// The figures in load-tests/README.md, between two markers, drawn from a report.

import { withUnit } from '../format.ts';
import { machineLine } from '../machine.ts';
import { isMet } from '../scenario.ts';
import type { Report } from './report.ts';

export const BEGIN = '<!-- results: written by `npm run load -- all --write-readme` -->';
export const END = '<!-- end of results -->';

/** The text with everything between the markers replaced. Throws Error where they are not both there, in order. */
export function withResults(readme: string, report: Report): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END, begin);
  if (begin === -1 || end === -1) throw new Error(`the README has no ${begin === -1 ? BEGIN : END}`);
  return `${readme.slice(0, begin)}${BEGIN}\n\n${results(report)}\n\n${readme.slice(end)}`;
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
