"""One sentence, two readers: arguments in Python, flags on the command line."""

from __future__ import annotations

import pickle

import pytest

from affuse.cli.flags import sentence
from affuse.errors import AffuseError, ClipError, argument


@pytest.mark.parametrize(
    ("written", "python", "typed"),
    [
        (argument("out"), "out", "--out"),
        (argument("keep_models"), "keep_models", "--keep-models"),
        (argument("folds", [0, 1]), "folds=[0, 1]", "--fold 0,1"),
        (argument("overwrite", True), "overwrite=True", "--overwrite"),
        (argument("vad", False), "vad=False", "--no-vad"),
        (argument("role", "all"), "role='all'", "--role all"),
        (argument("over", {"seed": [0, 1]}), "over={'seed': [0, 1]}", "--over seed=0,1"),
        (argument("rename", {"angry": "anger"}), "rename={'angry': 'anger'}", "--map angry=anger"),
        (argument("set", "lr=3e-4"), "set='lr=3e-4'", "--set lr=3e-4"),
        (argument("set", {"on": None}), "set={'on': None}", "--set on=null"),
    ],
)
def test_an_argument_is_written_for_its_reader(written: str, python: str, typed: str) -> None:
    error = AffuseError(f"A {written}, and {argument('jobs')}.")
    assert str(error) == f"A {python}, and jobs."
    assert sentence(error) == f"A {typed}, and --jobs."


def test_both_forms_reach_another_process() -> None:
    error = pickle.loads(pickle.dumps(ClipError(f"Choose another {argument('out')}.")))
    assert isinstance(error, ClipError)
    assert (str(error), sentence(error)) == ("Choose another out.", "Choose another --out.")


def test_what_looks_like_an_argument_in_a_users_text_stays() -> None:
    told = "the label '--out', the file \x0e.wav and out"
    assert sentence(AffuseError(told)) == str(AffuseError(told)) == told
