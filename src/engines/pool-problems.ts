// What the image pool answers when it does not do what it was asked for.

import { Problem } from '../problems.ts';

export function overloaded(queue: number, retryAfter: number): Problem {
  return new Problem(
    'overloaded',
    `The image threads of this process are busy, and as many images wait as may (${queue}). Send the image again later.`,
    { retryAfter },
  );
}

export function overran(seconds: number): Problem {
  return new Problem(
    'image_deadline',
    `The image was not done within ${seconds} s and is refused for ten minutes. Ask for a smaller rendition or a format that is faster to write, or send a simpler file.`,
  );
}

export function quarantined(seconds: number): Problem {
  return new Problem(
    'image_quarantined',
    `This very file was not done within the deadline a while ago. It is refused for another ${seconds} s; send it smaller or in another format.`,
  );
}

export function leaving(): Problem {
  return new Problem('shutting_down', 'This process is about to stop. Send the image again.');
}
