"""What ``affuse.reproduce`` found: a paper's numbers beside those of its protocols, or the effect of each switch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.arguments import checked
from affuse.reproduction.protocols import ProtocolNumbers
from affuse.reproduction.report.record import CLAIMS, EFFECTS, EFFECTS_TABLE, NUMBERS
from affuse.reproduction.switches import SwitchEffects
from affuse.results.display import as_html
from affuse.results.grid import Grid
from affuse.training.comparison_folder import PAGE

if TYPE_CHECKING:
    import pandas as pd


class Reproduction(ProtocolNumbers):
    """A paper's grid under its protocols; ``affuse.reproduce`` gives one, ``Reproduction.load`` opens one again.

    Examples:
        >>> import affuse
        >>> affuse.Reproduction.load("runs/paper").verdict  # doctest: +SKIP
    """

    @classmethod
    @checked
    def load(cls, folder: str | Path) -> Reproduction:
        """Open the folder of a reproduction that has ended. Raises AffuseError where it is none."""
        return cls(**vars(ProtocolNumbers.read(folder)))

    def to_frame(self) -> pd.DataFrame:
        """``reproduction.csv``: a row per protocol, published row and metric, with its interval."""
        return self.numbers.copy()

    @property
    def page(self) -> Path:
        """Its report; ``report`` writes it again."""
        return self.folder / PAGE

    @property
    def files(self) -> tuple[str, ...]:
        """Its tables, by the names of their files."""
        return NUMBERS, CLAIMS

    @property
    def grids(self) -> dict[str, Grid]:
        """Protocol -> its comparison."""
        return {about["id"]: Grid.load(self.folder / about["folder"]) for about in self.record["protocols"]}

    def __repr__(self) -> str:
        names = ", ".join(about["id"] for about in self.record["protocols"])
        return f"Reproduction({str(self.folder)!r}, {self.title!r}: {names})"

    def _repr_html_(self) -> str:
        return as_html(self.title, [self.table], [*self.verdict, *self.notes])


class Switches(SwitchEffects):
    """What each departure of the authors' code does alone; ``affuse.reproduce(..., switches=True)`` gives one."""

    verdict: Sequence[str] = ()  # effects are not judged
    page: None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Its tables, by the names of their files."""
        return EFFECTS, EFFECTS_TABLE

    def to_frame(self) -> pd.DataFrame:
        """``switches.csv``: a row per switch, published row and metric: base, switched, effect and its interval."""
        return self.effects.copy()

    def __repr__(self) -> str:
        switches = self.effects["switch"].nunique() if len(self.effects) else 0
        return f"Switches({str(self.folder)!r}, switches: {switches})"

    def _repr_html_(self) -> str:
        return as_html(self.title, [self.table], self.notes)
