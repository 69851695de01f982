// The fonts that come with the server: faces of DejaVu, by the names they have here.

import { fileURLToPath } from 'node:url';

export const FACES = {
  sans: ['DejaVu Sans', 'DejaVuSans'],
  'sans-bold': ['DejaVu Sans Bold', 'DejaVuSans-Bold'],
  'sans-oblique': ['DejaVu Sans Oblique', 'DejaVuSans-Oblique'],
  condensed: ['DejaVu Sans Condensed', 'DejaVuSansCondensed'],
  'condensed-bold': ['DejaVu Sans Condensed Bold', 'DejaVuSansCondensed-Bold'],
  serif: ['DejaVu Serif', 'DejaVuSerif'],
  'serif-bold': ['DejaVu Serif Bold', 'DejaVuSerif-Bold'],
  'serif-italic': ['DejaVu Serif Italic', 'DejaVuSerif-Italic'],
  mono: ['DejaVu Sans Mono', 'DejaVuSansMono'],
  'mono-bold': ['DejaVu Sans Mono Bold', 'DejaVuSansMono-Bold'],
} as const;
export type Face = keyof typeof FACES;

/** What Pango calls a face, and its file. */
export function faceOf(face: Face): { family: string; file: string } {
  const [family, file] = FACES[face];
  return { family, file: fileURLToPath(import.meta.resolve(`dejavu-fonts-ttf/ttf/${file}.ttf`)) };
}
