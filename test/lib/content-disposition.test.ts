import { describe, expect, it } from 'vitest';
import { cleanFileName, contentDisposition } from '../../src/lib/content-disposition.ts';

describe('cleanFileName', () => {
  it.each([
    ['photo.jpg', 'photo.jpg'],
    ['../../etc/passwd', 'passwd'],
    [String.raw`C:\temp\a.png`, 'a.png'],
    ['a\r\nSet-Cookie: x=1', 'aSet-Cookie: x=1'],
    ['photo\u202Egpj.exe', 'photogpj.exe'],
    ['..', null],
    ['', null],
  ])('%j', (given, clean) => {
    expect(cleanFileName(given)).toBe(clean);
  });

  it('cuts by characters, never inside one', () => {
    expect(Array.from(cleanFileName('🎬'.repeat(300)) ?? '')).toHaveLength(100);
  });
});

describe('contentDisposition', () => {
  it('leaves plain names plain', () => {
    expect(contentDisposition('clip.mp4')).toBe('inline; filename="clip.mp4"');
  });
  it('gives others in both forms', () => {
    expect(contentDisposition('Käse "1".mp4', 'attachment')).toBe(
      `attachment; filename="K_se _1_.mp4"; filename*=UTF-8''K%C3%A4se%20%221%22.mp4`,
    );
  });
  it('cannot be made to end the header', () => {
    expect(contentDisposition('a\r\nb')).not.toMatch(/[\r\n]/);
  });
});
