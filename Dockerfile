# syntax=docker/dockerfile:1
# Mediamill and its FFmpeg, run by an ordinary user.
#   docker build --tag mediamill .
#   docker run --rm --env ALLOW_UNAUTHENTICATED=true --publish 127.0.0.1:3000:3000 --volume mediamill:/data mediamill
# The published address is what keeps others out: inside, it listens on all of the container's own.

FROM node:26.10.0-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# Optional packages stay: sharp's binary is one. The pinned Node is for development only, and left out with the rest of it.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:26.10.0-bookworm-slim
LABEL org.opencontainers.image.title="Mediamill" \
      org.opencontainers.image.description="Self-hosted media processing: images at once, videos as jobs, over HTTP." \
      org.opencontainers.image.licenses="MIT"
# tini: a container's first process must reap what others leave, and Node does not.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ffmpeg tini \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=packages /app/node_modules node_modules/
COPY package.json package-lock.json ./
COPY src src/
COPY workers workers/
COPY scripts/backup.ts scripts/doctor.ts scripts/keys.ts scripts/mediamill scripts/move.ts scripts/purge.ts scripts/setup scripts/warm.ts scripts/
COPY scripts/doctor scripts/doctor/
COPY scripts/move scripts/move/
RUN install --directory --owner=node --group=node /data /app/.cache
# The stop ends before docker's own ten seconds do, so that jobs are handed back and not cut off.
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/app/.cache/compile \
    HOST=0.0.0.0 \
    PORT=3000 \
    ADMIN_HOST=0.0.0.0 \
    ADMIN_PORT=9464 \
    DATA_DIR=/data \
    SHUTDOWN_SECONDS=6
# The image's user "node", by number, so that an orchestrator can see that it is not root.
USER 1000:1000
# Also shows that the image works. As the same user, since the cache is kept by user.
RUN ["node", "scripts/warm.ts"]
VOLUME /data
# 9464 is for Prometheus only: it has no keys.
EXPOSE 3000 9464
STOPSIGNAL SIGTERM
# Of the admin port where there is one: a machine that only works (ROLES=work) has no other.
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 \
    CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.ADMIN_PORT || process.env.PORT) + '/livez').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tini", "--"]
CMD ["node", "src/main.ts"]
