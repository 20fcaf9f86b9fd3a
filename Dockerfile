# The daemon in an image: freshd and what it needs under /opt/freshd, a numeric user without rights, state under /data alone.
#   docker build -t freshd .        (any base with Python >= 3.11, its venv module and glibc will do: --build-arg BASE=…)
#   docker run -v ./freshd.yaml:/etc/freshd/freshd.yaml:ro -v freshd-data:/data -p 8765:8765 freshd
ARG BASE=python:3.13.9-slim-bookworm

FROM ${BASE} AS build
COPY requirements-image.lock /build/
RUN python3 -m venv /opt/freshd \
    && /opt/freshd/bin/python -m pip install --disable-pip-version-check --no-cache-dir --quiet \
        --require-hashes --no-deps --only-binary=:all: -r /build/requirements-image.lock
COPY pyproject.toml README.md LICENSE /build/
COPY daemon /build/daemon
# What only builds is left behind; /made is what the last stage has besides: a folder to write to, one to mount settings in.
RUN /opt/freshd/bin/python -m pip install --disable-pip-version-check --no-cache-dir --quiet \
        --no-deps --no-build-isolation /build \
    && /opt/freshd/bin/python -m pip uninstall --yes --quiet setuptools pip \
    && rm -rf /opt/freshd/lib/python3*/site-packages/*/tests /opt/freshd/lib/python3*/site-packages/numpy/*/tests \
        /opt/freshd/lib/python3*/site-packages/pyarrow/include /opt/freshd/lib/python3*/site-packages/pyarrow/src \
    && mkdir -p /made/data /made/etc/freshd \
    && chown 65532:65532 /made/data

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="freshd" \
      org.opencontainers.image.description="Knows whether data is fresh, and makes it so" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/freshd /opt/freshd
COPY --from=build /made/ /
ENV PATH=/opt/freshd/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    FRESHD_CONFIG=/etc/freshd/freshd.yaml
USER 65532:65532
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8765
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8765/healthz', timeout=4)"]
ENTRYPOINT ["freshd"]
CMD ["run"]
