import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  imageOptions,
  parseSignedPath,
  parseUrlKeys,
  signedPath,
  signerOf,
  withoutSignature,
} from '../../src/lib/signed-url.ts';

const [key, old] = parseUrlKeys(`new:${'0123456789abcdef'.repeat(4)}, old:${'ff'.repeat(32)}`);
if (key === undefined || old === undefined) throw new Error('two keys were read');
const source = 'https://example.com/a b/ä(1).jpg?x=1&y=%2F';
const options = new Map([
  ['width', '320'],
  ['format', 'webp'],
  ['text', "it's 100 % & more/less"],
]);

describe('a signed path', () => {
  it('is what ARCHITECTURE.md says it is, so that any language can make one', () => {
    const path = signedPath(
      {
        options: new Map([
          ['width', '320'],
          ['format', 'webp'],
        ]),
        source: 'upload:1',
      },
      { key },
    );
    const signature = createHmac('sha256', Buffer.from('0123456789abcdef'.repeat(4), 'hex'))
      .update('/format=webp&width=320/upload%3A1')
      .digest('base64url');
    expect(path).toBe(`/v1/images/${signature}/format=webp&width=320/upload%3A1`);
    expect(signature).toHaveLength(43);
  });

  it.each([false, true])('comes back as it was (base64: %s)', (base64) => {
    const path = signedPath({ options, source }, { key, base64 });
    expect(path).toMatch(/^[\w/.~%=&:-]+$/);
    const read = parseSignedPath(path);
    expect(read.source).toBe(source);
    expect(Object.fromEntries(read.options)).toEqual(Object.fromEntries(options));
    expect(signerOf([key], read)).toBe(key);
  });

  it('holds however its parts are written', () => {
    const [, , , signature = ''] = signedPath({ options, source: 'upload:1' }, { key }).split('/');
    const text = encodeURIComponent(options.get('text') ?? '');
    for (const path of [
      `/v1/images/${signature}/width=320&text=${text}&format=webp/upload:1`,
      `/v1/images/${signature}/form%61t=webp&width=%33%32%30&text=${text}/base64:${Buffer.from('upload:1').toString('base64url')}`,
      `/v1/images/${signature}/width=320&text=${text}&format=webp/upload%3a1/`,
    ]) {
      expect(signerOf([key], parseSignedPath(path))).toBe(key);
    }
  });

  it('does not hold once anything is changed', () => {
    const path = signedPath({ options, source: 'upload:1' }, { key });
    const [, , , signature = ''] = path.split('/');
    const wrong = [
      path.replace('width=320', 'width=321'),
      path.replace('width=320', 'height=320'),
      path.replace('&width=320', ''),
      path.replace('upload%3A1', 'upload%3A2'),
      path.replace('width=320', 'width=320&height=1'),
      path.replace(signature, signature.slice(1)),
      path.replace(signature, `${signature}A`),
      path.replace(signature, 'unsigned'),
      // The last character has two bits that mean nothing: another one decodes to the same bytes.
      path.replace(
        signature,
        signature.slice(0, -1) + (signature.endsWith('A') ? 'B' : nextCharacter(signature)),
      ),
    ];
    for (const each of wrong) {
      expect(each).not.toBe(path);
      expect(signerOf([key], parseSignedPath(each))).toBe(undefined);
    }
  });

  it('is taken from every key, so that keys can be changed', () => {
    const read = parseSignedPath(signedPath({ options, source }, { key: old }));
    expect(signerOf([key], read)).toBe(undefined);
    expect(signerOf([key, old], read)).toBe(old);
    expect(signerOf([], read)).toBe(undefined);
  });

  it('cannot be moved from the options into the source', () => {
    const one = parseSignedPath('/v1/images/s/a=1/b=2%2Fupload%3A1');
    const two = parseSignedPath('/v1/images/s/a=1%2Fb=2/upload%3A1');
    expect(one.canonical).not.toBe(two.canonical);
  });

  it.each([
    ['/v1/images/s/width=1', 'must be /v1/images'],
    ['/v1/images/s/width=1/upload:1/more', 'must be /v1/images'],
    ['/v1/images/s/width=1/upload:1?width=2', 'must be /v1/images'],
    ['/v1/images/s/width=1/https://example.com/a.jpg', 'must be /v1/images'],
    ['/v1/images/s/width=1&width=2/upload:1', '"width" is there twice'],
    ['/v1/images/s/width=1&w%69dth=1/upload:1', '"width" is there twice'],
    ['/v1/images/s/width/upload:1', 'name=value'],
    ['/v1/images/s/=1/upload:1', 'name=value'],
    ['/v1/images/s/&/upload:1', 'name=value'],
    [`/v1/images/s/${Array.from({ length: 65 }, (_, i) => `o${i}=1`).join('&')}/upload:1`, 'more than 64'],
    ['/v1/images/s/width=%ff/upload:1', 'percent-encoding'],
    ['/v1/images/s/width=1/base64:a.b', 'not base64url'],
  ])('%s is a mistake', (path, why) => expect(() => parseSignedPath(path)).toThrow(why));

  it('has no options where there is a dash', () => {
    expect(imageOptions('-')).toEqual(new Map());
    expect(signedPath({ options: new Map(), source: 'upload:1' }, { key: undefined })).toBe(
      '/v1/images/unsigned/-/upload%3A1',
    );
  });

  it('is logged without its signature', () => {
    expect(withoutSignature('/v1/images/secret/width=1/upload:1')).toBe('/v1/images/…/width=1/upload:1');
    expect(withoutSignature('/v1/images?width=1')).toBe('/v1/images?width=1');
  });
});

describe('URL_KEYS', () => {
  it.each([
    '',
    'no-secret',
    'short:0011',
    `a b:${'00'.repeat(32)}`,
    `odd:${'00'.repeat(32)}0`,
    `x:${'zz'.repeat(32)}`,
  ])('%j is a mistake that is not repeated in its message', (text) => {
    expect(() => parseUrlKeys(text)).toThrow('entry 1 is not id:secret');
    const secret = text.split(':')[1] ?? '?';
    expect(() => parseUrlKeys(text)).not.toThrow(secret);
  });

  it('may name the tenant of a key', () => {
    const secret = 'ab'.repeat(32);
    const keys = parseUrlKeys(`shop/web:${secret}, old:${secret}`);
    expect(keys.map(({ tenant, id }) => [tenant, id])).toEqual([
      ['shop', 'web'],
      [null, 'old'],
    ]);
  });

  it('has every id once', () => {
    expect(() => parseUrlKeys(`a:${'00'.repeat(32)},a:${'11'.repeat(32)}`)).toThrow('twice');
  });
});

function nextCharacter(signature: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return alphabet[alphabet.indexOf(signature.at(-1) ?? 'A') ^ 1] ?? 'A';
}
