// The colour behind a picture: one parameter, shared by the operations that uncover what lies there.

import { z } from 'zod';
import { COLOUR, COLOUR_HINT } from '../../lib/colour.ts';

export const background = z
  .string()
  .max(32)
  .regex(COLOUR, COLOUR_HINT)
  .describe(
    'Colour of the area that the picture does not fill: hex digits (`ff8800`, with alpha `ff880080`; `%23` for # in a URL) or a name such as `white`. JPEG shows what is transparent as white',
  );
