"""From a recipe to a weighting."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from affuse.errors import AffuseError
from affuse.models.parts import build_weighting
from affuse.parts import registry
from affuse.recipe import Recipe
from affuse.weighting import GradNormWeighting, SoftmaxWeighting
from weighting.networks import LOSS_BASED, SURGERY, TASKS
from weighting.test_surgery import needs


def build(name: str, tasks: tuple[str, str], options: dict[str, Any] | None = None):
    data = {"name": "r", "modalities": {"text": {"encoder": "bert"}}}
    recipe = Recipe.parse({**data, "weighting": {"name": name, "options": options or {}}})
    return build_weighting(recipe.weighting, list(tasks))


@pytest.mark.parametrize("name", registry.PARTS["weightings"])
def test_every_registered_name_builds(name: str) -> None:
    kind = registry.get("weightings", name)
    needs(kind)
    assert type(build(name, TASKS)) is kind
    assert kind in (*LOSS_BASED, GradNormWeighting, *SURGERY)


def test_options_arrive() -> None:
    weighting = build("softmax", TASKS, {"entropy": 1})
    assert isinstance(weighting, SoftmaxWeighting)
    assert weighting.entropy == 1.0
    assert build("static", TASKS, {"weights": {"emotion": 0.25, "gender": 0.75}}).weights()["gender"] == 0.75
    assert build("gradnorm", TASKS).weights() == {"emotion": 1.0, "gender": 1.0}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("softmaks", {}, "did you mean 'softmax'"),
        ("softmax", {"entropie": 1}, "did you mean 'entropy'"),
        ("softmax", {"entropy": "much"}, r"weighting\.options\.entropy is 'much', which is not a number"),
        ("softmax", {"entropy": -1}, "at least 0"),
        ("softmax", {"tasks": ["a"]}, "no 'tasks'"),
        ("gradnorm", {"over": "heads"}, r"over is 'heads', which is not one of 'last', 'all' or 'features'"),
        (
            "static",
            {"weights": {"emotion": "x", "gender": 1}},
            r"options\.weights\.emotion is 'x', which is no",
        ),
        ("mgda", {"c": 1}, "mgda has no options, so no 'c'"),
        ("dwa", {"temperature": 0}, "temperature is 0; it must be above 0"),
        ("dwa", {"temperature": True}, "temperature is true, which is not a number"),
        ("dwa", {"temperature": float("nan")}, "temperature is nan, which is not a finite number"),
    ],
)
def test_bad_options_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(AffuseError, match=message):
        build(name, TASKS, options)


@pytest.mark.parametrize("kind", [*LOSS_BASED, GradNormWeighting, *SURGERY])
def test_every_option_has_a_default_and_a_type(kind: type[Any]) -> None:
    """A recipe may leave any out, and ``build`` checks each."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[2:]
    for parameter in parameters:
        assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        assert parameter.default is not parameter.empty
        assert parameter.annotation is not parameter.empty
