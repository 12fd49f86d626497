"""How far ratings lie from answers, learnt on validation predictions: the band that an answer is shown with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from affuse.evaluation.dimensions import rated_rows
from affuse.evaluation.intervals import speakers_of
from affuse.names import counted

COVERAGE = 0.8
_SLACK = 1e-9  # of a sum of weights that is a whole share but for rounding


class Band(BaseModel):
    """The band of a task's answers, and how it was found.

    Args:
        half: An answer's band reaches so far below it and above it, in units of the ratings; None: there is none.
        coverage: The share (0 to 1) of ratings that such bands hold, of utterances like those of the validation part.
        utterances: Rated ones of the validation part.
        speakers: Of how many known speakers they are.
        cause: Why there is none, or "".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    half: float | None = Field(default=None, ge=0)
    coverage: float = Field(default=COVERAGE, gt=0, lt=1)
    utterances: int = Field(default=0, ge=0)
    speakers: int = Field(default=0, ge=0)
    cause: str = ""

    @property
    def source(self) -> str:
        """'80 % of ratings lie within 0.7, from 120 validation utterances of 4 speakers', or why there is no band."""
        if self.half is None:
            return f"no band: {self.cause or 'the model keeps no validation errors'}"
        whose = f" of {counted(self.speakers, 'speaker')}" if self.speakers else ""
        told = f"{100 * self.coverage:g} % of ratings lie within {self.half:.3g}"
        return f"{told}, from {_utterances(self.utterances)}{whose}"

    def note(self, task: str) -> str:
        """What should be known before the band of ``task`` is believed, or ""."""
        if self.half is None:
            return f"The values of {task} have {self.source}."
        if self.speakers >= least_speakers(self.coverage):
            return ""
        whose = (
            f"{counted(self.speakers, 'speaker')} alone" if self.speakers else "speakers who are not known"
        )
        return (
            f"The band of {task} rests on {_utterances(self.utterances)} of {whose}: ratings of other speakers may lie "
            "outside of it more often."
        )


def fit_band(
    validation: pd.DataFrame,
    task: str,
    speaker_of: Mapping[str, Any] | None = None,
    coverage: float = COVERAGE,
) -> Band:
    """The band of a regression from its validation predictions alone; see ``half_width``.

    Where there are too few speakers to say anything of others, utterances are taken as if each were of a speaker of
    its own: the band then is that of these speakers, and ``Band.note`` says so.

    Args:
        validation: A prediction table, see ``dimensions.measure_dimension``.
        task: For example "valence".
        speaker_of: Utterance id -> speaker, blank where unknown; None: none is known.
        coverage: 0 to 1.

    Examples:
        >>> table = pd.DataFrame({"id": list("abcde"), "v": [1, 2, 3, 4, 5], "v_predicted": [1.5, 2, 2, 4.1, 4.8]})
        >>> found = fit_band(table, "v")
        >>> found.half, found.source
        (1.0, '80 % of ratings lie within 1, from 5 validation utterances')
    """
    rated = rated_rows(validation, task)
    errors = (rated[f"{task}_predicted"] - rated[task]).abs().to_numpy(float)
    clusters = pd.Series(dict(speaker_of or {}), dtype=object)
    clusters = clusters[clusters.notna() & (clusters.astype(str) != "")]
    known = clusters.reindex(rated["id"]).nunique()
    groups = speakers_of(rated["id"], clusters).tolist()
    if known < least_speakers(coverage):
        groups = list(range(len(errors)))
    half = half_width(errors, groups, coverage)
    few = f"{_utterances(len(errors))} with a rating {'is' if len(errors) == 1 else 'are'} too few"
    cause = "" if half is not None else few if len(errors) else "no validation utterance has a rating"
    return Band(
        half=None if half is None else float(f"{half:.6g}"),
        coverage=coverage,
        utterances=len(errors),
        speakers=int(known),
        cause=cause,
    )


def half_width(errors: np.ndarray, groups: Sequence[Any], coverage: float = COVERAGE) -> float | None:
    """The error that a share of the utterances of speakers who were not seen stays within.

    Split conformal prediction (Papadopoulos et al. 2002; Lei et al. 2018) for data in groups: of K speakers each has
    the weight 1/(K + 1), shared among its utterances, and the rest is on an error without bounds (Lee, Barber and
    Willett 2023, "Distribution-free inference with hierarchical data", HCP). If speakers are drawn alike, the coverage
    is at least ``coverage``, on average over validation parts. With one utterance per speaker this is the usual rule,
    the ceil((n + 1) coverage)-th smallest of n errors.

    Args:
        errors: (n,), how far each answer is from its rating.
        groups: (n,), whose utterance it is.
        coverage: 0 to 1.

    Returns:
        None where K / (K + 1) is below ``coverage``.

    Examples:
        >>> half_width(np.array([0.1, 0.4, 0.2, 0.3]), ["Ann", "Bob", "Cem", "Dan"])
        0.4
        >>> half_width(np.array([0.1, 0.4, 0.2]), ["Ann", "Bob", "Cem"]) is None
        True
    """
    names, member, size = np.unique(np.asarray(groups, str), return_inverse=True, return_counts=True)
    order = np.argsort(errors, kind="stable")
    held = np.cumsum(1 / ((len(names) + 1) * size[member[order]]))
    enough = np.flatnonzero(held >= coverage - _SLACK)
    return float(errors[order[enough[0]]]) if len(enough) else None


def least_speakers(coverage: float = COVERAGE) -> int:
    """Speakers from which a band for other speakers exists: 4 for 80 %."""
    return int(np.ceil(coverage / (1 - coverage) - _SLACK))


def _utterances(number: int) -> str:
    return counted(number, "validation utterance")
