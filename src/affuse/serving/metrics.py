"""Figures of the service for Prometheus: counts and times, nothing of any clip or client."""

from __future__ import annotations

from http import HTTPMethod

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.process_collector import ProcessCollector
from starlette.responses import Response

from affuse.serving.engine import Engine, Job
from affuse.serving.space import Space

_METHODS = frozenset(HTTPMethod)
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class Metrics:
    """The figures of one service; each has its own registry.

    Args:
        engine: What it counts.
        space: Of uploads.
    """

    def __init__(self, engine: Engine, space: Space) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "affuse_requests_total",
            "Requests that were answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._latency = Histogram(
            "affuse_request_seconds", "Seconds to the beginning of an answer.", ["route"], buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self._clips = Counter(
            "affuse_clips_total", "Clips that are over.", ["model", "state"], registry=registry
        )
        self._clip_seconds = Histogram(
            "affuse_clip_seconds", "Seconds from taking a clip in to its answer.", ["model"], buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self._media = Counter(
            "affuse_media_seconds_total",
            "Seconds of the clips that were answered.",
            ["model"],
            registry=registry,
        )
        self._quantities = {
            name: Histogram(f"affuse_{name}", meaning, buckets=buckets, registry=registry)
            for name, meaning, buckets in (
                ("queue_seconds", "Seconds that a clip waited until it was read.", _SECONDS),
                ("read_seconds", "Seconds from there until its file was not needed any more.", _SECONDS),
                ("answer_seconds", "Seconds of a batch of windows in a network.", _SECONDS),
                ("batch_windows", "Windows of a batch.", (1, 2, 4, 8, 16, 32)),
                ("hear_seconds", "Seconds of a piece of sound in a recogniser.", _SECONDS),
            )
        }
        engine.observe = lambda what, value: self._quantities[what].observe(value)
        for name, meaning in (
            ("queued", "Clips that wait."),
            ("running", "Clips that are worked on."),
            ("streams", "Live streams."),
        ):
            gauge = Gauge(f"affuse_{name}", meaning, registry=registry)
            gauge.set_function(lambda name=name: float(getattr(engine.counts, name)))

        held = Gauge("affuse_upload_bytes", "Bytes of uploads, there or under way.", registry=registry)
        held.set_function(lambda: float(space.taken))

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request; ``route`` is its pattern, not its path.

        Methods that HTTP does not have are one: whoever makes them up must not fill the memory with counters.
        """
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def clip(self, job: Job, seconds: float) -> None:
        """One job that is over."""
        self._clips.labels(job.request.model, job.state).inc()
        if job.timeline is not None:
            self._clip_seconds.labels(job.request.model).observe(seconds)
            self._media.labels(job.request.model).inc(job.timeline.seconds)

    def answer(self) -> Response:
        """In Prometheus's text format."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)
