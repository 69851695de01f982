// Author and copyright, wherever they stand.

import { describe, expect, it } from 'vitest';
import { readRights } from '../../src/lib/rights.ts';

const dataset = (number: number, text: string): Buffer =>
  Buffer.concat([Buffer.from([0x1c, 2, number, 0, Buffer.byteLength(text)]), Buffer.from(text)]);
const xmp = (text: string): Buffer =>
  Buffer.from(
    `<x:xmpmeta><rdf:Description><dc:creator><rdf:Seq><rdf:li>${text}</rdf:li></rdf:Seq></dc:creator>` +
      `<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© ${text}</rdf:li></rdf:Alt></dc:rights></rdf:Description></x:xmpmeta>`,
  );

describe('readRights', () => {
  it('reads IPTC, inside Photoshop’s wrapping or not', () => {
    const record = Buffer.concat([dataset(80, 'Ann'), dataset(116, '© Ann')]);
    expect(readRights({ iptc: record })).toEqual({ artist: 'Ann', copyright: '© Ann' });
    expect(readRights({ iptc: Buffer.concat([Buffer.from('Photoshop 3.0\u00008BIM'), record]) })).toEqual({
      artist: 'Ann',
      copyright: '© Ann',
    });
  });

  it('reads XMP, with its entities', () => {
    expect(readRights({ xmp: xmp('Bob &amp; Sons') })).toEqual({
      artist: 'Bob & Sons',
      copyright: '© Bob & Sons',
    });
  });

  it('takes IPTC before XMP, each by itself', () => {
    expect(readRights({ iptc: dataset(80, 'Ann'), xmp: xmp('Bob') })).toEqual({
      artist: 'Ann',
      copyright: '© Bob',
    });
  });

  it.each([
    ['nothing', {}],
    ['a cut-off dataset', { iptc: Buffer.from([0x1c, 2, 80, 0]) }],
    ['an open element', { xmp: Buffer.from('<dc:rights><rdf:li>x') }],
    ['no text', { iptc: dataset(80, ' \0 '), xmp: xmp('').subarray(0, 60) }],
    ['zeros', { exif: Buffer.alloc(99), iptc: Buffer.alloc(99), xmp: Buffer.alloc(99) }],
  ])('%s tells nothing', (_what, sources) => {
    expect(readRights(sources)).toEqual({});
  });
});
