"""Names in the release say almost everything: session, marker-wearing actor, scenario, speaker.

``Ses03M_impro05a_F012``: session 3, the man wears the markers, improvised dialog 05a, the woman speaks, her turn 12.
The letter after the session is NOT the speaker; the last field's letter is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

GENDER = {"F": "female", "M": "male"}
SCENARIO = {"impro": "improvised", "script": "scripted"}

_DIALOG = r"Ses(?P<session>\d\d)(?P<marker>[FM])_(?P<kind>impro|script)\w*?"
DIALOG = re.compile(_DIALOG)
_TURN = re.compile(rf"(?P<dialog>{_DIALOG})_(?P<letter>[FM])\d+")


@dataclass(frozen=True)
class TurnName:
    """What a turn's name says."""

    id: str
    dialog: str
    session: str  # "Ses01"
    marker: str  # gender letter of the actor wearing markers
    letter: str  # gender letter of the speaker
    scenario: str  # improvised or scripted

    @property
    def speaker(self) -> str:
        """Session and gender letter: "Ses01_F"."""
        return f"{self.session}_{self.letter}"

    @property
    def gender(self) -> str:
        """Of the speaker: female or male."""
        return GENDER[self.letter]

    @property
    def side(self) -> str:
        """The half of the picture that shows the speaker."""
        return side_of(self.dialog, self.letter)


def parse_turn(name: str) -> TurnName | None:
    """Read a turn's name; None if it is not one (``..._MXX0``, ``M``).

    Examples:
        >>> turn = parse_turn("Ses03M_impro05a_F012")
        >>> turn.dialog, turn.speaker, turn.gender, turn.side
        ('Ses03M_impro05a', 'Ses03_F', 'female', 'right')
    """
    match = _TURN.fullmatch(name)
    if match is None:
        return None
    return TurnName(
        id=name,
        dialog=match["dialog"],
        session=f"Ses{match['session']}",
        marker=match["marker"],
        letter=match["letter"],
        scenario=SCENARIO[match["kind"]],
    )


def side_of(dialog: str, letter: str) -> str:
    """Find the half of the picture that shows the speaker: the actor wearing the markers sits left.

    Left exactly when ``dialog[5]`` (the marker's letter) is the speaker's letter.
    """
    return "left" if dialog[5] == letter else "right"
