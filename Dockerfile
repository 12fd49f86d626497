# affuse serve in a container: no root user, CPU, and nothing written outside /tmp and the cache of downloaded weights.
#
#   docker build --tag affuse .
#   docker run --rm --read-only --tmpfs /tmp --publish 127.0.0.1:8765:8765 --env AFFUSE_TOKEN=... affuse
#
# Plain pip takes PyTorch with CUDA (several GB). For the small CPU build, name PyTorch's own index of CPU wheels:
#   docker build --build-arg PIP_EXTRA_INDEX_URL=... --tag affuse .

FROM python:3.11-slim-bookworm AS build
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
RUN python -m venv /opt/affuse
ENV PATH=/opt/affuse/bin:$PATH
# what changes seldom comes first, so that a change of affuse does not install PyTorch again
COPY constraints.txt ./
RUN pip install --constraint constraints.txt torch
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --constraint constraints.txt '.[serve,minilm]'

FROM python:3.11-slim-bookworm
RUN groupadd --system --gid 10001 affuse && useradd --system --uid 10001 --gid affuse --home-dir /nonexistent affuse \
    && mkdir -p /cache && chown affuse:affuse /cache
COPY --from=build /opt/affuse /opt/affuse
# /cache may be a volume: weights that a model names by a Hub id. /tmp holds a clip for as long as it is read.
ENV PATH=/opt/affuse/bin:$PATH \
    HOME=/tmp \
    HF_HOME=/cache/huggingface \
    AFFUSE_CACHE=/cache/affuse \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8765
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8765/healthz', timeout=4)"]
ENTRYPOINT ["affuse", "serve", "--host", "0.0.0.0", "--port", "8765"]
CMD ["starter"]
