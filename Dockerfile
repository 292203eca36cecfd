# Mezzotint's server as a container (docs/install.md):  docker build -t mezzotint . && docker run ... mezzotint
FROM debian:bookworm-slim AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/ccache CCACHE_DIR=/ccache tools/package.sh

FROM debian:bookworm-slim
RUN --mount=type=bind,from=build,source=/src/build/package,target=/package \
    apt-get update \
    && apt-get install -y --no-install-recommends /package/*.deb \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home mezzo \
    && install -d -o mezzo -g mezzo /models /outputs
USER 1000:1000
WORKDIR /outputs
# Other addresses than the container's own are let in, so the server starts only with MEZZO_TOKEN. MEZZO_NAME holds the
# names by which browsers call it.
ENV MEZZO_HOST=0.0.0.0 \
    MEZZO_NAME=localhost,127.0.0.1 \
    MEZZO_MODELS=/models \
    MEZZO_OUTPUTS_DIR=/outputs
VOLUME ["/models", "/outputs"]
EXPOSE 7860
# The image has no curl; bash speaks enough HTTP.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/7860 && printf 'GET /health HTTP/1.1\\r\\nHost: 127.0.0.1:7860\\r\\nConnection: close\\r\\n\\r\\n' >&3 && grep -q '^HTTP/1.1 200' <&3"]
ENTRYPOINT ["mezzo"]
CMD ["serve"]
