"""How a corpus is split, as data: the ``split`` part of a recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from affuse.names import tidy
from affuse.section import Section

Kind = Literal["leave_one_group_out", "group_k_fold", "k_fold", "ratio", "column"]
GROUPED = ("leave_one_group_out", "group_k_fold")


class ValidationPart(Section):
    """How the validation part is taken out of the training part of every fold. Unknown fields are errors.

    ``{groups: 1}`` takes one whole group of the protocol's ``by``; ``{groups: 2, by: dialog}`` two of another
    column's; ``{fraction: 0.1, by: speaker}`` whole speakers that make about a tenth of the training part;
    ``{fraction: 0.1}`` a tenth of its utterances at random, stratified by label. The groups are those whose
    balance of classes is nearest the whole training part's.

    Args:
        groups: Number of whole groups; or
        fraction: Share of the training part, above 0 and below 1.
        by: Column(s) of the groups.
    """

    groups: int | None = Field(default=None, ge=1)  # number of whole groups; or
    fraction: float | None = Field(default=None, gt=0, lt=1)  # share of the training part
    by: tuple[str, ...] = ()  # column(s) of the groups

    @field_validator("by", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        value = (value,) if isinstance(value, str) else value
        return tuple(tidy(str(one)) for one in value) if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _either(self) -> ValidationPart:
        if (self.groups is None) == (self.fraction is None):
            raise ValueError("give either groups (a number of groups) or fraction (a share), not both")
        return self


class SplitProtocol(Section):
    """Which utterances train, choose and test. Unknown fields are errors.

    The kinds:

    - ``leave_one_group_out``: every group of ``by`` is the test part of one fold, in the groups' order
    - ``group_k_fold``: ``folds`` folds of whole groups, stratified by label as far as groups allow
    - ``k_fold``: ``folds`` folds of utterances, stratified by label
    - ``ratio``: one fold; shares for train, validation and test of utterances, or of whole groups where ``by`` is given
    - ``column``: one fold; ``by`` names a column that holds train, validation (dev) or test

    Args:
        kind: One of these.
        by: Column(s) of the groups; the speaker for the grouped kinds if not given.
        folds: Number of folds of ``group_k_fold`` and ``k_fold``.
        ratios: Of ``ratio``: train, validation, test; they add to 1.
        validation: How the validation part is taken; None: there is none, but for that of ``ratio`` and ``column``.
        allow_speaker_overlap: False: a speaker on both sides of the test is an error. True: it is accepted, and every
            result stamped.
        reshuffled: Only of ``ratio``: the list is shuffled anew for every part, so that parts overlap and some
            utterances are in none (bug 1 of the second paper's code); every result is stamped with the overlap.
        seed: Of whatever is drawn.

    Examples:
        >>> SplitProtocol(kind="group_k_fold", folds=3).by
        ('speaker',)
    """

    kind: Kind = "leave_one_group_out"
    by: tuple[str, ...] = ()  # column(s) of the groups; ("speaker",) for the grouped kinds if not given
    folds: int = Field(default=5, ge=2)  # of group_k_fold and k_fold
    ratios: tuple[float, float, float] = (0.8, 0.0, 0.2)  # of ratio: train, validation, test
    validation: ValidationPart | None = None  # None: no validation part, but for ratio's and column's own
    # False: a speaker on both sides of the test is an error. True: it is accepted, and every result stamped
    allow_speaker_overlap: bool = False
    # ratio only. True: the list is shuffled anew for every part and its slice taken, so that parts overlap and
    # some utterances are in none (bug 1 of the second paper's code); every result is stamped with the overlap
    reshuffled: bool = False
    seed: int = 0

    @field_validator("by", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        value = (value,) if isinstance(value, str) else value
        return tuple(tidy(str(one)) for one in value) if isinstance(value, list | tuple) else value

    @model_validator(mode="before")
    @classmethod
    def _group_by_speaker(cls, values: object) -> object:
        if isinstance(values, dict) and not values.get("by") and values.get("kind", GROUPED[0]) in GROUPED:
            return {**values, "by": ("speaker",)}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> SplitProtocol:
        if self.kind == "k_fold" and self.by:
            raise ValueError("k_fold splits utterances and takes no 'by'; group_k_fold splits groups")
        if self.kind == "column" and len(self.by) != 1:
            raise ValueError("kind 'column' needs 'by': the one column that holds train, validation or test")
        if self.kind == "ratio":
            train, validation, test = self.ratios
            if min(train, test) <= 0 or validation < 0 or abs(sum(self.ratios) - 1) > 1e-6:
                raise ValueError(
                    "ratios are the shares of train, validation and test: they add to 1, and train and test "
                    "are above 0"
                )
            if validation and self.validation:
                raise ValueError("the validation part is given twice: by ratios and by 'validation'")
        if self.reshuffled and (self.kind != "ratio" or self.by or self.validation):
            raise ValueError("reshuffled parts are those of kind 'ratio', without 'by' and 'validation'")
        if self.validation and self.validation.groups and not (self.validation.by or self.by):
            raise ValueError("validation.groups needs validation.by: the column(s) of the groups")
        if self.kind == "column" and self.validation and self.validation.groups and not self.validation.by:
            raise ValueError("validation.groups needs validation.by: the column(s) of the groups")
        return self
