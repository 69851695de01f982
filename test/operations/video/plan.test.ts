import { describe, expect, it } from 'vitest';
import { planOutput, videoOutputSchema } from '../../../src/operations/video.ts';
import { planRuns } from '../../../src/operations/video/plan.ts';
import type { OutputPart, Source } from '../../../src/operations/video-operation.ts';
import { probeOf, sourceOf } from './sources.ts';

const hevc = sourceOf(probeOf({ codec: 'hevc' }));

function plan(outputs: Record<string, unknown>, source: Source = hevc) {
  const parts = Object.fromEntries(
    Object.entries(outputs).map(([name, output]) => [
      name,
      planOutput(videoOutputSchema.parse(output), source),
    ]),
  );
  return planRuns(parts, source);
}

const transcode = (rest: object = {}) => ({ type: 'transcode', ...rest });
const thumbnail = (rest: object = {}) => ({ type: 'thumbnail', ...rest });

describe('a ladder', () => {
  it('is one run and one decode, each rung scaled from the one above', () => {
    const { runs, stills, decisions } = plan({
      low: transcode({ height: 360 }),
      high: transcode({ height: 1080 }),
      mid: transcode({ height: 720 }),
    });
    expect(runs).toHaveLength(1);
    expect(stills).toHaveLength(0);
    expect(runs[0]?.graph).toBe(
      [
        '[0:0]setsar=1,format=yuv420p,split=2[v1][n0x0]',
        '[n0x0]scale=1280:720,setsar=1,split=2[v2][n0x1]',
        '[n0x1]scale=640:360,setsar=1[v0]',
      ].join(';'),
    );
    expect(runs[0]?.outputs.map(({ name, file }) => `${name} ${file}`)).toEqual([
      'low 0/video.mp4',
      'high 1/video.mp4',
      'mid 2/video.mp4',
    ]);
    expect(decisions['low']).toContain('scaled from the frames of 1280×720');
    expect(decisions['high']).toContain('decoded once, together with "low", "mid"');
    expect(decisions['high']?.join()).not.toContain('scaled from');
  });

  it('scales once for outputs of the same size', () => {
    const { runs } = plan({
      mp4: transcode({ height: 720 }),
      webm: transcode({ height: 720, format: 'webm' }),
    });
    expect(runs[0]?.graph).toBe('[0:0]scale=1280:720,setsar=1,format=yuv420p,split=2[v0][v1]');
  });

  it('cuts a square from a rung without a decode of its own', () => {
    const { runs } = plan({
      wide: transcode({ height: 480 }),
      square: transcode({ width: 480, height: 480, fit: 'cover' }),
    });
    expect(runs[0]?.graph).toBe(
      '[0:0]scale=854:480,setsar=1,format=yuv420p,split=2[v0][t1];[t1]crop=480:480[v1]',
    );
  });

  it('tone-maps HDR once, at the largest size asked for', () => {
    const hdr = sourceOf(probeOf({ codec: 'hevc', transfer: 'arib-std-b67', width: 3840, height: 2160 }));
    const { runs } = plan({ a: transcode({ height: 720 }), b: transcode({ height: 360 }) }, hdr);
    expect(runs[0]?.graph?.match(/tonemap/g)).toHaveLength(1);
    expect(runs[0]?.graph).toMatch(/^\[0:0\]scale=1280:720/);
  });

  it('keeps outputs of another frame rate apart, on the same decode', () => {
    const { runs } = plan({ full: transcode({ height: 720 }), slow: transcode({ height: 360, fps: 10 }) });
    expect(runs[0]?.graph).toBe(
      [
        '[0:0]split=2[s0][s1]',
        '[s0]scale=1280:720,setsar=1,format=yuv420p[v0]',
        '[s1]fps=10,scale=640:360,setsar=1,format=yuv420p[v1]',
      ].join(';'),
    );
  });
});

describe('a poster', () => {
  it('comes out of the decode that another output needs', () => {
    const { runs, stills, decisions } = plan({ video: transcode({ height: 720 }), poster: thumbnail() });
    expect(runs).toHaveLength(1);
    expect(stills).toHaveLength(0);
    // Frame 0 is the way out for a source that ends before the moment.
    expect(runs[0]?.graph).toContain(
      String.raw`[s1]select='not(n)+gte(t\,15.000)*lt(selected_n\,16)',setsar=1,format=yuv420p,thumbnail=n=16,format=yuvj420p[v1]`,
    );
    expect(decisions['poster']).toContain('decoded once, together with "video"');
  });

  it('is a seek of its own beside a copy', () => {
    const { runs, stills, decisions } = plan({ video: transcode(), poster: thumbnail() }, sourceOf());
    expect(runs).toHaveLength(1);
    expect(runs[0]?.graph).toBeNull();
    expect(stills).toHaveLength(1);
    expect(stills[0]?.inputs[0]?.seek).toBe(15);
    expect(decisions['poster']?.join()).toContain('taken by a seek');
  });

  it('is a seek of its own when it lies outside of what is decoded', () => {
    const { runs, stills } = plan({ clip: transcode({ start: 30, end: 40 }), poster: thumbnail({ at: 5 }) });
    expect(runs).toHaveLength(1);
    expect(stills).toHaveLength(1);
  });

  it('in a cut is found by the time of the cut', () => {
    const { runs } = plan({ clip: transcode({ start: 30, end: 40 }), poster: thumbnail({ at: 32.5 }) });
    expect(runs[0]?.inputs[0]?.seek).toBe(30);
    expect(runs[0]?.graph).toContain(String.raw`gte(t\,2.500)`);
  });
});

describe('cuts', () => {
  it('that overlap share a decode of just what they need', () => {
    const { runs } = plan({
      a: transcode({ start: 10, end: 30, height: 360 }),
      b: transcode({ start: 20, end: 40, height: 360 }),
    });
    expect(runs).toHaveLength(1);
    expect(runs[0]?.inputs[0]).toMatchObject({ seek: 10, seconds: 30 });
    expect(runs[0]?.graph).toContain('[s0]trim=start=0.000:end=20.000,setpts=PTS-0.000/TB,');
    expect(runs[0]?.graph).toContain('[s1]trim=start=10.000:end=30.000,setpts=PTS-10.000/TB,');
    expect(runs[0]?.outputs[1]?.options.join(' ')).toContain(
      '-filter:a:0 atrim=start=10.000:end=30.000,asetpts=PTS-10.000/TB,aresample',
    );
  });

  it('that lie apart are runs of their own: nobody decodes what lies between', () => {
    const { runs } = plan({
      late: transcode({ start: 40, end: 50 }),
      early: transcode({ start: 0, end: 10 }),
    });
    expect(runs.map(({ inputs }) => [inputs[0]?.seek, inputs[0]?.seconds])).toEqual([
      [0, 10],
      [40, 10],
    ]);
  });

  it('of a source that is copied whole do not make it be decoded whole', () => {
    const { runs } = plan({ full: transcode(), clip: transcode({ start: 40, end: 50 }) }, sourceOf());
    expect(runs).toHaveLength(2);
    expect(runs.find(({ graph }) => graph === null)?.outputs.map(({ name }) => name)).toEqual(['full']);
  });

  it('and a copy of the whole beside an encode of the whole read the source once', () => {
    const { runs } = plan({ full: transcode(), small: transcode({ height: 360 }) }, sourceOf());
    expect(runs).toHaveLength(1);
    expect(runs[0]?.outputs).toHaveLength(2);
  });
});

describe('a copy beside a stream', () => {
  it('is made first: if it does not pass, nobody has watched anything yet', () => {
    const { runs } = plan({ tv: { type: 'hls', heights: [720, 480] }, mp4: transcode() }, sourceOf());
    expect(runs.map(({ outputs }) => [...new Set(outputs.map(({ name }) => name))])).toEqual([
      ['mp4'],
      ['tv'],
    ]);
  });

  it('joins the decode where there is no stream', () => {
    expect(plan({ small: transcode({ height: 480 }), mp4: transcode() }, sourceOf()).runs).toHaveLength(1);
  });
});

describe('another kind of output', () => {
  it('joins the same decode without the planner knowing of it', () => {
    const storyboard: OutputPart = {
      pieces: [
        {
          file: 'strip.jpg',
          mediaType: 'image/jpeg',
          streams: [
            {
              kind: 'frames',
              take: { from: 'picture', size: { width: 160, height: 90 }, fps: 0.2, filters: ['tile=4x3'] },
              options: { c: 'mjpeg', frames: '1' },
            },
          ],
          muxer: ['-update', '1', '-f', 'image2'],
          expects: {
            kind: 'still',
            video: { codec: 'mjpeg', size: { width: 640, height: 270 } },
            audio: null,
            durationSeconds: null,
            durationIsExact: false,
          },
          maxBytes: 1_000_000,
        },
      ],
      window: { start: 0, end: null },
      encoders: ['mjpeg'],
      decisions: [],
    };
    const video = planOutput(videoOutputSchema.parse(transcode({ height: 720 })), hevc);
    const { runs } = planRuns({ video, strip: storyboard }, hevc);
    expect(runs).toHaveLength(1);
    expect(runs[0]?.expectedSeconds).toBe(60);
    expect(runs[0]?.graph).toContain('[s1]fps=0.2,scale=160:90,setsar=1,format=yuv420p,tile=4x3[v1]');
  });
});

describe('every output', () => {
  it('carries nothing of the source but its streams', () => {
    const { runs, stills } = plan({ video: transcode(), poster: thumbnail() }, sourceOf());
    for (const { options } of [...runs, ...stills].flatMap(({ outputs }) => outputs)) {
      expect(options.join(' ')).toContain('-sn -dn -map_metadata -1 -map_metadata:s -1 -map_chapters -1');
      expect(options).toContain('-fs');
    }
  });
});
