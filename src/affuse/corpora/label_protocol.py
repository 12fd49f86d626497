"""Label protocols of IEMOCAP as data: which classes, which scenario, and what becomes of turns without a consensus.

Part of a recipe (``corpus.labels``) and the options of ``affuse prepare iemocap``; ``readers/iemocap/labels.py``
applies them to votes.
"""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from affuse.section import Section

Classes = Literal["4+exc", "4", "6"]
Scenario = Literal["improvised", "scripted", "both"]
Ties = Literal["drop", "majority", "self_report"]

# Class set -> the release's code -> class, in the order of the label space. "4+exc" merges excited into happiness,
# as the first paper does and most later work; "4" is the second paper's code.
CLASS_SETS: dict[str, dict[str, str]] = {
    "4+exc": {"ang": "anger", "hap": "happiness", "exc": "happiness", "sad": "sadness", "neu": "neutral"},
    "4": {"ang": "anger", "hap": "happiness", "sad": "sadness", "neu": "neutral"},
    "6": {
        "ang": "anger", "hap": "happiness", "exc": "excitement", "sad": "sadness", "neu": "neutral",
        "fru": "frustration",
    },
}  # fmt: skip


class LabelProtocol(Section):
    """How turns get their emotion. Unknown fields are errors.

    Args:
        classes: "4+exc" (excited merged into happiness), "4" (without excited) or "6".
        scenario: "improvised", "scripted" or "both".
        ties: "drop" leaves a turn without a consensus of the class set unlabelled. "majority" (the second paper's
            text) counts again, for "xxx" turns, the external annotators' votes as classes, and draws among the tied
            classes of the set. "self_report" (the second paper's code) takes, whenever the consensus is outside the
            set, the speaker's own first label inside it in improvised turns and the external annotators' first in
            scripted ones.
        seed: Of the draws.
        keep_unlabelled: False: turns without an emotion are left out of the corpus.

    Examples:
        >>> LabelProtocol(classes="4").label_space
        ['anger', 'happiness', 'sadness', 'neutral']
    """

    classes: Classes = "4+exc"
    scenario: Scenario = "both"
    ties: Ties = "drop"
    seed: int = 0
    keep_unlabelled: bool = True  # False: turns without an emotion are left out of the corpus

    @field_validator("classes", mode="before")
    @classmethod
    def _from_number(cls, value: object) -> object:
        return str(value) if isinstance(value, int) else value  # YAML reads 4 as a number

    @property
    def codes(self) -> dict[str, str]:
        """The release's code -> class."""
        return CLASS_SETS[self.classes]

    @property
    def label_space(self) -> list[str]:
        """The classes in their order."""
        return list(dict.fromkeys(self.codes.values()))

    def describe(self) -> str:
        """Describe the protocol in a sentence."""
        names = ", ".join(self.label_space)
        merged = " with excited merged into happiness" if self.classes == "4+exc" else ""
        ties = {
            "drop": "turns without a consensus among these have no emotion",
            "majority": f"ties go to the external annotators' majority, a draw (seed {self.seed}) among equals",
            "self_report": "turns without a consensus among these take the speaker's own report (improvised) or the "
            "first external vote (scripted) inside them",
        }[self.ties]
        scenario = "improvised and scripted" if self.scenario == "both" else f"only {self.scenario}"
        left_out = "" if self.keep_unlabelled else "; turns without an emotion are left out"
        return f"Labels: {names}{merged}; {scenario} dialogs; {ties}{left_out}."
