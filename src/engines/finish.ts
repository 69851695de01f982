// From the files of an output's pieces to the files that clients get: maps, lists, playlists, peaks.

import type { Finish } from '../operations/video/finish.ts';
import type { OutputPart } from '../operations/video-operation.ts';
import { filesOf, textFile } from './finish/follower.ts';
import type { FinishContext, Follower } from './finish/follower.ts';
import { followHls } from './finish/hls.ts';
import { finishStoryboard } from './finish/storyboard.ts';
import { finishWaveform } from './finish/waveform.ts';

type Begin<Type extends Finish['type']> = (
  finish: Finish & { readonly type: Type },
  context: FinishContext,
) => Follower;

const FOLLOWERS: { readonly [Type in Finish['type']]: Begin<Type> } = {
  hls: followHls,
  storyboard: finishStoryboard,
  waveform: finishWaveform,
  list: ({ seconds }, context) => ({
    async end(pieces) {
      const listed = pieces.flatMap((piece, index) =>
        filesOf(piece).map((file) => ({ file, at: seconds?.[index] })),
      );
      const text = JSON.stringify({
        files: listed.map(({ file: { path: _path, ...file }, at }) => ({
          ...file,
          ...(at !== undefined && { seconds: at }),
        })),
      });
      const list = await textFile(context, 'list.json', 'application/json', text);
      return { files: [list, ...listed.map(({ file }) => file)] };
    },
  }),
  document: ({ file, mediaType, text }, context) => ({
    async end(pieces) {
      return { files: [await textFile(context, file, mediaType, text), ...pieces.flatMap(filesOf)] };
    },
  }),
};

export function beginFinish(part: OutputPart, context: FinishContext): Follower {
  const { finish } = part;
  if (finish === undefined) return { end: async (pieces) => ({ files: pieces.flatMap(filesOf) }) };
  // The table pairs each type with the function for it, which TypeScript cannot follow.
  return (FOLLOWERS[finish.type] as Begin<Finish['type']>)(finish, context);
}
