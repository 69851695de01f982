// What runs in the page: hls.js or the bare <video>, and waits that events end. player-page.ts calls it by name.

const DEADLINE_MS = 20_000;
/** What hls.js says also of good media. A stall may mean a hole in it, though: these are marked and not left out. */
const DOUBTFUL = new Set([
  ...['bufferStalledError', 'bufferNudgeOnStall', 'fragLoadTimeOut', 'levelLoadTimeOut'],
  // It has given up a load itself, since the level was changed.
  'aborted',
]);

const SETTINGS = {
  // All of a short film is loaded at once.
  maxBufferLength: 600,
  // What a server refuses is a failure at once. By itself hls.js asks again for half a minute, even after a 404.
  ...Object.fromEntries(
    ['manifestLoadPolicy', 'playlistLoadPolicy', 'fragLoadPolicy'].map((name) => [
      name,
      { default: { ...Hls.DefaultConfig[name].default, errorRetry: null } },
    ]),
  ),
};

const video = document.querySelector('video');
const failures = [];
const watchers = new Set();
let hls;
let mediaSource;

function happened(name, detail) {
  for (const watch of watchers) watch(name, detail);
}

function failed(failure) {
  failures.push({ doubtful: DOUBTFUL.has(failure.what), ...failure });
  happened('failure');
}

for (const name of ['loadeddata', 'durationchange', 'seeked', 'timeupdate', 'ended']) {
  video.addEventListener(name, () => happened(name));
}
video.addEventListener('error', () => {
  failed({
    from: 'video',
    fatal: true,
    what: `MediaError ${video.error.code}`,
    message: video.error.message,
  });
});
window.addEventListener('error', ({ message }) => {
  failed({ from: 'page', fatal: true, what: 'script', message });
});
window.addEventListener('unhandledrejection', ({ reason }) => {
  failed({ from: 'page', fatal: true, what: 'script', message: String(reason) });
});
video.requestVideoFrameCallback(function onFrame(_now, { mediaTime, width, height }) {
  video.requestVideoFrameCallback(onFrame);
  happened('frame', { mediaTime, width, height });
});

/**
 * Resolves with what `look` gives, which is asked at each event until that is not undefined. Rejects as soon as the
 * player cannot go on, and past a deadline that only ends what would hang.
 */
function until(what, look) {
  return new Promise((resolve, reject) => {
    const stop = (settle, value) => {
      clearTimeout(timer);
      watchers.delete(watch);
      settle(value);
    };
    const giveUp = (why) =>
      stop(
        reject,
        new Error(`Waiting for ${what}: ${why}. ${JSON.stringify({ ...facts(), failures: errors() })}`),
      );
    const watch = (name, detail) => {
      const fatal = failures.find((failure) => failure.fatal);
      if (fatal !== undefined) return giveUp(fatal.what);
      try {
        const seen = look(name, detail);
        if (seen !== undefined) stop(resolve, seen);
      } catch (error) {
        giveUp(error.message);
      }
    };
    const timer = setTimeout(() => giveUp(`not within ${DEADLINE_MS / 1000} s`), DEADLINE_MS);
    watchers.add(watch);
    watch('start');
  });
}

function play() {
  video.play().catch(({ name, message }) => {
    // A pause that came before it had begun to play.
    if (name !== 'AbortError') failed({ from: 'video', fatal: true, what: name, message });
  });
}

/** Until there is something to show: the first frame, or any data where there is no picture. */
function loaded() {
  let hasData = false;
  let hasFrame = false;
  return until('the first frame', (name) => {
    hasData ||= name === 'loadeddata';
    hasFrame ||= name === 'frame';
    return hasData && (hasFrame || video.videoWidth === 0) ? facts() : undefined;
  });
}

function playFile(url) {
  const ready = loaded();
  video.src = url;
  return ready;
}

function playHls(url, config) {
  const ready = loaded();
  hls = new Hls({ ...SETTINGS, ...config });
  hls.on(Hls.Events.ERROR, (_name, { type, details, fatal, response, url: loaded, frag, error }) => {
    const address = loaded ?? frag?.url;
    failed({
      from: 'hls',
      fatal,
      what: details,
      message: `${type}: ${error?.message ?? ''}`,
      ...(response?.code > 0 && { status: response.code }),
      ...(address !== undefined && { path: new URL(address, location.href).pathname }),
    });
  });
  hls.on(Hls.Events.LEVEL_SWITCHED, (_name, { level }) => happened('level', level));
  hls.on(Hls.Events.LEVEL_UPDATED, (_name, { details }) => happened('playlist', details));
  hls.on(Hls.Events.MEDIA_ATTACHED, (_name, data) => {
    ({ mediaSource } = data);
    mediaSource.addEventListener('sourceended', () => happened('sourceended'));
  });
  hls.attachMedia(video);
  hls.loadSource(url);
  return ready;
}

function levels() {
  return hls.levels.map(
    ({ width, height, bitrate, averageBitrate, frameRate, videoRange, attrs, uri }, index) => ({
      index,
      width,
      height,
      bitrate,
      averageBitrate,
      frameRate,
      videoRange,
      codecs: attrs.CODECS ?? '',
      path: new URL(uri, location.href).pathname,
    }),
  );
}

function tracks() {
  const named = ({ name, lang, default: isDefault }) => ({
    name,
    language: lang ?? '',
    default: isDefault === true,
  });
  return { audio: hls.audioTracks.map(named), subtitles: hls.subtitleTracks.map(named) };
}

/**
 * Until all is loaded, or as much as there is of a playlist that is still written. A switch empties the buffer of the
 * picture, and hls.js 1.7.4 loses count if that ends while it appends sound: it then waits for ever.
 */
function atRest() {
  return until('all to be loaded', () =>
    mediaSource.readyState === 'ended' || hls.latestLevelDetails?.live === true ? true : undefined,
  );
}

/** Chromium goes on showing the old level until the next keyframe of the new one, which may be a segment away: hence faster. */
async function switchTo(index) {
  await atRest();
  const { height } = hls.levels[index];
  const { paused: wasPaused, playbackRate } = video;
  let there = hls.currentLevel === index;
  const arrived = until(`frames of level ${index}`, (name, detail) => {
    if (name === 'ended') throw new Error('it ended before');
    there ||= name === 'level' && detail === index;
    return there && name === 'frame' && video.videoHeight === height ? facts() : undefined;
  });
  hls.currentLevel = index;
  // What was shown last stays on the screen of a paused video, whichever level it was of.
  play();
  video.playbackRate = 4;
  try {
    return await arrived;
  } finally {
    video.playbackRate = playbackRate;
    if (wasPaused) video.pause();
  }
}

function complete() {
  const isComplete = () =>
    hls.currentLevel >= 0 &&
    hls.levels[hls.currentLevel].details?.live === false &&
    Number.isFinite(video.duration);
  return until('the end of the playlist', () => (isComplete() ? facts() : undefined));
}

/** The frame at a time: half a second is longer than any frame that is not a fault. */
function seek(to) {
  let hasSeeked = false;
  let frame;
  const landed = until(`a frame at ${to} s`, (name, detail) => {
    hasSeeked ||= name === 'seeked';
    // While it plays, frames of before the seek may still come. Paused, the one frame may come before the event.
    const mayCount = hasSeeked || video.paused;
    if (name === 'frame' && mayCount && Math.abs(detail.mediaTime - to) <= 0.5) frame = detail;
    return hasSeeked && frame !== undefined ? { ...facts(), frameSeconds: frame.mediaTime } : undefined;
  });
  video.currentTime = to;
  return landed;
}

async function playUntil(to, rate) {
  const arrived = until(`it to play until ${to}`, () => {
    if (to === 'end' ? video.ended : video.currentTime >= to) return facts();
    if (video.ended) throw new Error(`it ended at ${video.currentTime} s`);
    return undefined;
  });
  video.playbackRate = rate;
  play();
  try {
    return await arrived;
  } finally {
    video.pause();
  }
}

function facts() {
  const { currentTime, duration, videoWidth, videoHeight, paused, ended } = video;
  return {
    seconds: currentTime,
    // JSON has no infinity, which a stream without an end has for its duration.
    duration: Number.isFinite(duration) ? duration : null,
    width: videoWidth,
    height: videoHeight,
    level: hls === undefined ? null : hls.currentLevel,
    paused,
    ended,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    audioBytes: video.webkitAudioDecodedByteCount,
    buffered: Array.from({ length: video.buffered.length }, (_, index) => [
      video.buffered.start(index),
      video.buffered.end(index),
    ]),
  };
}

function errors() {
  return [...failures];
}

function supports(type) {
  return { stream: MediaSource.isTypeSupported(type), file: video.canPlayType(type) !== '' };
}

globalThis.player = {
  playHls,
  playFile,
  levels,
  tracks,
  switchTo,
  complete,
  seek,
  playUntil,
  facts,
  errors,
  supports,
};
