"""What the service counts, for Prometheus."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from affuse.serving.engine import Engine
from affuse.serving.metrics import Metrics
from affuse.serving.space import Space


def test_what_the_engine_observes_is_counted() -> None:
    engine = Engine({"starter": "starter"})  # not started: no process is needed to count
    space = Space(100)
    metrics = Metrics(engine, space)
    space.take(70)
    for windows in (1, 3, 16):
        engine.observe("batch_windows", windows)
    for what in ("queue_seconds", "read_seconds", "answer_seconds", "hear_seconds"):
        engine.observe(what, 0.3)
    text = bytes(metrics.answer().body).decode()
    found = {
        (sample.name, sample.labels.get("le")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["affuse_batch_windows_sum", None] == 20
    assert found["affuse_batch_windows_bucket", "4.0"] == 2
    assert found["affuse_hear_seconds_bucket", "0.25"] == 0
    assert found["affuse_hear_seconds_bucket", "0.5"] == 1
    assert found["affuse_upload_bytes", None] == 70
    assert found["affuse_queued", None] == found["affuse_running", None] == 0
