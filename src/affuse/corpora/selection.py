"""How an experiment looks at the corpus it is given: the ``corpus`` part of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from affuse.corpora.durations import seconds_of
from affuse.corpora.label_protocol import LabelProtocol
from affuse.errors import AffuseError
from affuse.names import counted
from affuse.section import Section

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus  # recipes are read without pandas

# Sound of 1.935 s or more gives two VGGish patches or more: 192 frames of 25 ms, every 10 ms.
TWO_PATCHES = 1.935
_ROUNDING = 1e-6  # seconds
_CURES = {
    "labels": "leave it out: the corpus's own labels are then taken",
    "min_seconds": "leave it out",
    "side": "leave it at 'corpus'",
}


class CorpusView(Section):
    """Which utterances, whose labels, which half of the picture. Unknown keys are errors."""

    min_seconds: float = Field(
        default=0.0,
        ge=0,
        description="utterances with less sound are left out; 1.935 leaves those of two VGGish patches or more, as "
        "the first paper's code does",
    )
    labels: LabelProtocol | None = Field(
        default=None,
        description="the emotion by a rule (classes, scenario, ties, seed) applied anew to the votes that 'affuse "
        "prepare iemocap' keeps; null: the corpus's own",
    )
    side: Literal["corpus", "gender"] = Field(
        default="corpus",
        description="the half of the picture: the corpus's column, or left for women and right for men, as the second "
        "paper's code has it",
    )


def view(corpus: Corpus, choice: CorpusView) -> tuple[Corpus, list[str]]:
    """Select and change utterances as ``choice`` has it.

    Returns:
        The corpus (the same one where nothing is asked for), and what was left out or changed, in sentences.

    Raises:
        AffuseError: The corpus lacks what the choice needs (votes, sides, sound), or nothing is left.
    """
    for name, cause in lacking(corpus, choice).items():
        raise AffuseError(f"corpus.{name}: {cause}; {_CURES[name]}.")
    notes = []
    if choice.labels is not None:
        from affuse.corpora.readers.iemocap.relabel import relabel_votes

        corpus = relabel_votes(corpus, choice.labels)
        notes.append(choice.labels.describe())
    if choice.min_seconds:
        corpus, left_out = _with_sound_of(corpus, choice.min_seconds)
        notes.append(
            f"{left_out} of {left_out + len(corpus)} utterances have less than {choice.min_seconds:g} s of sound: "
            "left out (corpus.min_seconds)."
        )
    if choice.side == "gender":
        corpus, changed = _sides_by_gender(corpus)
        notes.append(
            f"{changed} of {len(corpus)} utterances show the other half of the picture: left for women, right for men "
            "(corpus.side)."
        )
    return corpus, notes


def lacking(corpus: Corpus, choice: CorpusView) -> dict[str, str]:
    """Find the fields of ``choice`` that this corpus cannot have, each with the cause."""
    from affuse.corpora.readers.iemocap.relabel import has_votes

    found = {}
    if choice.labels is not None and not has_votes(corpus):
        found["labels"] = (
            f"{corpus.info.name} keeps no votes to apply a label rule to; only corpora of 'affuse prepare iemocap' do"
        )
    if choice.min_seconds and all(seconds_of(one, "audio") is None for one in corpus.utterances()):
        found["min_seconds"] = f"no utterance of {corpus.info.name} has sound whose length is known"
    if choice.side == "gender":
        sided = corpus.table["side"].notna()
        blank = sided & corpus.table["gender"].isna()
        if not sided.any():
            found["side"] = (
                f"{corpus.info.name} does not say which half of a picture shows the speaker, so there is no other half "
                "to take"
            )
        elif blank.any():
            first = corpus.table["id"][blank].iloc[0]
            found["side"] = f"{counted(int(blank.sum()), 'utterance')} without gender (the first is {first})"
    return found


def _with_sound_of(corpus: Corpus, least: float) -> tuple[Corpus, int]:
    """The utterances with sound of ``least`` seconds or more, or of unknown length; and how many are left out."""
    lengths = [seconds_of(utterance, "audio") for utterance in corpus.utterances()]
    kept = [seconds is None or seconds >= least - _ROUNDING for seconds in lengths]
    if not any(kept):
        raise AffuseError(
            f"corpus.min_seconds: all {len(kept)} utterances of {corpus.info.name} are shorter than {least:g} s; "
            "lower it."
        )
    return corpus.altered(corpus.table[kept]), len(kept) - sum(kept)


def _sides_by_gender(corpus: Corpus) -> tuple[Corpus, int]:
    """``side`` left for women and right for men wherever the corpus has a side; and how many changed."""
    table = corpus.table.copy()
    sided = table["side"].notna()
    by_gender = table["gender"].map({"female": "left", "male": "right"}).astype("string")
    changed = sided & (by_gender != table["side"])
    table["side"] = by_gender.where(sided)
    return corpus.altered(table), int(changed.sum())
