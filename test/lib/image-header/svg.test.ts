// SVG: its size, and what it may not contain.

import { describe, expect, it } from 'vitest';
import { readImageHeader } from '../../../src/lib/image-header.ts';
import { Problem } from '../../../src/problems.ts';

const NS = 'xmlns="http://www.w3.org/2000/svg"';
const read = (text: string) => readImageHeader(Buffer.from(text), { allowSvg: true });
const codeOf = (text: string | Buffer, options = { allowSvg: true }): string => {
  try {
    readImageHeader(Buffer.from(text as string), options);
    return 'fine';
  } catch (error) {
    return error instanceof Problem ? error.code : String(error);
  }
};

describe('the size', () => {
  it.each([
    ['width="40" height="30"', 40, 30],
    ["width='40px' height='30px'", 40, 30],
    ['width="1in" height="2.54cm"', 96, 96],
    ['viewBox="0 0 400 200"', 400, 200],
    ['viewBox="0,0,400,200" width="100"', 100, 50],
    ['viewBox="0 0 400 200" height="100%" width="50%"', 400, 200],
    ['', 300, 150],
    ['stroke-width="9" width="12" height="7"', 12, 7],
  ])('%s is %d × %d', (attributes, width, height) => {
    expect(read(`<svg ${NS} ${attributes}/>`)).toMatchObject({ width, height, alpha: true, frames: 1 });
  });
});

describe('what reaches out of the file or runs', () => {
  const inside = (content: string): string => `<svg ${NS} width="9" height="9">${content}</svg>`;

  it.each([
    inside('<image href="file:///etc/passwd"/>'),
    inside('<image href="data:image/png;base64,AAAA"/>'),
    inside('<svg:image xlink:href="http://example.org/a.png"/>'),
    inside('<feImage href="#a"/>'),
    inside('<foreignObject/>'),
    inside('<use href="other.svg#a"/>'),
    inside("<use xlink:href='http://169.254.169.254/'/>"),
    inside('<use href=" file:///etc/passwd#a"/>'),
    inside('<a href="javascript:alert(1)"/>'),
    inside('<script>1</script>'),
    inside('<rect onload="x()"/>'),
    inside('<style>@import "a.css";</style>'),
    inside('<style>rect{fill:url(http://example.org/)}</style>'),
    inside('<rect fill="url( \'http://example.org/#a\')"/>'),
    inside('<rect style="fill:\\75rl(http://example.org/)"/>'),
    inside('<use href="&#x66;ile:///etc/passwd"/>'),
    inside('<use href="&#102;ile:///etc/passwd"/>'),
    inside('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="#a"/>'),
    inside('<g id="a"/>'.concat('<use href="#a"/>'.repeat(201))),
    `<!DOCTYPE svg><svg ${NS}/>`,
    `<!DOCTYPE svg [<!ENTITY a "aa">]><svg ${NS}>&a;</svg>`,
    `<?xml version="1.0"?><?xml-stylesheet href="a.css"?><svg ${NS}/>`,
    `<?xml version="1.0" encoding="UTF-7"?><svg ${NS}/>`,
    inside('x'.repeat(1024 * 1024)),
    inside('\0'),
  ])('%# is refused', (text) => {
    expect(codeOf(text)).toBe('image_too_complex');
  });

  it.each([
    inside('<defs><linearGradient id="a"/></defs><rect fill="url(#a)"/>'),
    inside('<g id="a"/><use href="#a"/><use xlink:href=\'#a\'/>'),
    inside('<text>3 &lt; 4 &amp; &#8364;</text>'),
    inside('<clipPath id="c"/><g clip-path="url(\'#c\')"/>'),
  ])('%# is taken', (text) => {
    expect(codeOf(text)).toBe('fine');
  });

  it('is of no interest while SVG is not allowed at all', () => {
    expect(codeOf(inside('<script/>'), { allowSvg: false })).toBe('media_type_unsupported');
    expect(codeOf(inside(''), { allowSvg: false })).toBe('media_type_unsupported');
  });
});
