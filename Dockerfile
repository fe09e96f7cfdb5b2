# The one image: operator, coordinator, adapters sidecar and the simulated LoRAX.
# BASE must have Python >= 3.11 as python3, with venv and ensurepip, which only the build uses.
ARG BASE=docker.io/library/python:3.11-slim-bookworm

# What the lock names, by hash. Changes of our own source leave this layer as it is.
FROM ${BASE} AS dependencies
WORKDIR /build
COPY requirements/uv.lock requirements/runtime.lock requirements/
# Optional secrets for a network with its own index or certificates; they are in no layer. build_env is sourced by the
# shell (PIP_INDEX_URL, UV_DEFAULT_INDEX, HTTPS_PROXY, ...), build_ca is a bundle of certificates that it may point to.
RUN --mount=type=secret,id=build_env --mount=type=secret,id=build_ca \
    if [ -f /run/secrets/build_env ]; then . /run/secrets/build_env; fi \
    && python3 -m venv /build/tools \
    && /build/tools/bin/pip install -q --no-cache-dir --require-hashes --no-deps -r requirements/uv.lock \
    && python3 -m venv --without-pip /opt/boardroom \
    && /build/tools/bin/uv pip install -q --no-cache --require-hashes --no-deps \
        --python /opt/boardroom/bin/python -r requirements/runtime.lock \
    && echo /opt/boardroom/app > "$(/opt/boardroom/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/app.pth" \
    && mkdir /opt/boardroom/app \
    && /opt/boardroom/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/boardroom/lib

FROM dependencies AS app
COPY requirements/dev.lock requirements/
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN --mount=type=secret,id=build_env --mount=type=secret,id=build_ca \
    if [ -f /run/secrets/build_env ]; then . /run/secrets/build_env; fi \
    && /build/tools/bin/uv pip install -q --no-cache --no-deps --python /opt/boardroom/bin/python \
        --build-constraints requirements/dev.lock --require-build-hashes --target /opt/boardroom/app . \
    && /opt/boardroom/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/boardroom/app

FROM ${BASE}
COPY --from=dependencies /opt/boardroom /opt/boardroom
COPY --from=app /opt/boardroom/app /opt/boardroom/app
ARG BASE
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="boardroom-operator" \
      org.opencontainers.image.description="A board of LoRA agents on one shared GPU: operator, coordinator, adapters sidecar, simulated LoRAX" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The root file system is read-only in a pod, so nothing is written beside the sources.
ENV PATH=/opt/boardroom/app/bin:/opt/boardroom/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
USER 65532:65532
ENTRYPOINT ["boardroom"]
