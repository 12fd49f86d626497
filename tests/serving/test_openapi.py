"""The service does what its OpenAPI says: made-up requests by schemathesis, good and bad."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from serving.running_service import RunningService

load_all_checks()
# a clip of any bytes is a good form and yet no clip: only what else is good must be taken
NOT_FOR_CLIPS = ("positive_data_acceptance",)


# of each operation, made as OpenAPI says and made to break it
EXAMPLES = {GenerationMode.POSITIVE: 4, GenerationMode.NEGATIVE: 4}


@pytest.fixture(scope="module")
def api(service: RunningService) -> Any:
    return schemathesis.openapi.from_url(f"{service.address}/openapi.json")


@pytest.mark.parametrize("mode", EXAMPLES, ids=lambda mode: mode.value)
def test_it_is_as_it_says(api: Any, mode: GenerationMode) -> None:
    left_out = [CHECKS.get_one(name) for name in NOT_FOR_CLIPS]
    asked: set[str] = set()
    for found in api.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES[mode], deadline=None, derandomize=True, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def ask(case: schemathesis.Case) -> None:
            asked.add(case.operation.label)
            case.call_and_validate(excluded_checks=left_out)

        try:
            ask()
        except Unsatisfiable:  # nothing of a request without parameters can be wrong
            assert mode is GenerationMode.NEGATIVE
    assert "POST /v1/predict" in asked


def test_everything_is_described(api: Any) -> None:
    told = api.raw_schema
    assert set(told["paths"]) >= {
        "/v1/predict",
        "/v1/jobs",
        "/v1/jobs/{id}",
        "/v1/jobs/{id}/events",
        "/v1/models",
    }
    for path, operations in told["paths"].items():
        for method, one in operations.items():
            assert one["summary"], (method, path)
            assert one["description"], (method, path)
            for status, answer in one["responses"].items():
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], (method, path, status)
    for name in ("TimelineView", "ProblemDetails"):
        assert told["components"]["schemas"][name]["example"]
