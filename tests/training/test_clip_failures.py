"""Whatever goes wrong with one clip is that clip's row: in training as in prediction, of any kind."""

import errno
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from affuse.corpora.corpus import Utterance
from affuse.corpora.validation.media import Span, check_file
from affuse.encoders.base import Encoder, EncoderOptions, Reading
from affuse.errors import AffuseError, ClipError
from affuse.failures import cause_of, trace_of
from affuse.inference.batch import Job, predict_one
from affuse.inference.settings import Settings
from affuse.sequence import FeatureSequence
from affuse.training.cache import FeatureCache
from affuse.training.features import LiveSource, check_live, extract

FAILURES = [
    IndexError("no such\nframe"),
    MemoryError(),
    KeyError("a"),
    RuntimeError(),
    ClipError("It is short."),
]


class Failing(Encoder):
    """Reads words; a clip whose words are a number fails by the failure of that number, read or encoded."""

    kind = "text"

    def __init__(self, reads: bool = True) -> None:
        super().__init__(EncoderOptions())
        self.reads = reads

    @classmethod
    def width_of(cls, options: EncoderOptions) -> int:
        return 1

    @classmethod
    def reading_of(cls, options: EncoderOptions) -> Reading:
        return Reading(torch.float32, (1,), "a number")

    def read(self, utterance: Utterance) -> Tensor | None:
        number = int(utterance.text or "0")
        if number and self.reads:
            raise FAILURES[number - 1]
        return torch.full((2, 1), float(number))

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        if (number := int(clips.values.max())) and not self.reads:
            raise FAILURES[number - 1]
        return clips


def utterances() -> list[Utterance]:
    return [Utterance(f"u{i}", text=str(i)) for i in range(len(FAILURES) + 1)]


@pytest.mark.parametrize("reads", [True, False])
def test_extraction_goes_on_past_any_failure(tmp_path: Path, reads: bool) -> None:
    done = extract("text", Failing(reads), True, utterances(), FeatureCache(tmp_path))
    assert list(done.keys) == ["u0"]
    assert [one.id for one in done.skipped] == ["u1", "u2", "u3", "u4", "u5"]
    assert done.skipped[0].cause.startswith("u1: its text cannot be used (IndexError in ")
    assert done.skipped[0].cause.endswith(": no such frame).")
    assert "more memory than there is" in done.skipped[1].cause
    assert done.skipped[-1].cause == "It is short."


def test_live_clips_are_tried_past_any_failure() -> None:
    rows = {one.id: one for one in utterances()}
    found = check_live("text", LiveSource(Failing(), True, rows), rows)
    assert found.present == {"u0": True}
    assert len(found.skipped) == len(FAILURES)


def test_what_is_no_clips_fault_ends_the_work(tmp_path: Path) -> None:
    class Full(Failing):
        def read(self, utterance: Utterance) -> Tensor | None:
            raise OSError(errno.ENOSPC, "No space left on device")

    class Wrong(Failing):
        def read(self, utterance: Utterance) -> Tensor | None:
            raise AffuseError("The detector is missing.")

    with pytest.raises(OSError, match="No space left"):
        extract("text", Full(), True, utterances(), FeatureCache(tmp_path))
    with pytest.raises(AffuseError, match="detector"):
        extract("text", Wrong(), True, utterances(), FeatureCache(tmp_path))


def test_a_cause_is_one_line_with_its_place() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.zeros(2) + torch.zeros(3)
    cause = cause_of(caught.value, "a\nb.wav", "cannot be predicted")
    assert cause.startswith(r"a\x0ab.wav cannot be predicted (RuntimeError in ")
    assert "\n" not in cause
    assert trace_of(caught.value).startswith("Traceback")
    assert trace_of(ClipError("short")) == ""


def test_prediction_and_validation_go_on_too(tmp_path: Path) -> None:
    class Odd:
        def predict(self, path: Any, advance: Any):
            return {}[path]

    outcome = predict_one(Odd(), Job(tmp_path / "a.wav", "a", Settings()))  # type: ignore[arg-type]
    assert outcome.timeline is None
    assert "a.wav cannot be predicted (KeyError in batch.py:" in outcome.cause
    assert "Traceback" in outcome.trace
    faults = check_file("audio", None, [Span(3, 0.0, 1.0)], True)  # type: ignore[arg-type]
    assert [(fault.row, fault.field) for fault in faults] == [(3, "audio")]
    assert "in media_checks.py" in faults[0].message or "in audio" in faults[0].message
