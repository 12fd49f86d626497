"""A paper's grid and its protocols, read from the YAML files of ``papers/<paper>/``.

``paper.yaml`` says what is published and what its small and quick forms are; ``written.yaml``, ``coded.yaml`` and
``honest.yaml`` say which recipe, with which fields changed, stands for each row of the published tables;
``switches.yaml`` names every departure that can be measured alone.
"""

from __future__ import annotations

from importlib.resources import as_file
from importlib.resources import files as package_files
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from affuse.errors import AffuseError
from affuse.files import read_csv
from affuse.files.yaml_text import read_yaml
from affuse.parts.registry import unknown
from affuse.recipe.sections import Section as Part

PROTOCOLS = {"written": "as written", "coded": "as coded", "honest": "honest"}  # and what tables call them
Changes = dict[str, Any]  # dotted field of the recipe -> value


class Small(Part):
    """What stands in for the paper's networks where there is no GPU or no download."""

    description: str
    recipes: dict[str, str] = Field(default_factory=dict, description="the paper's recipe -> the small one")
    set: Changes = Field(default_factory=dict)
    encoders: dict[str, Changes] = Field(default_factory=dict, description="encoder -> options")


class Quick(Part):
    """The smallest form that is still the protocol, on top of ``Small``."""

    set: Changes = Field(default_factory=dict)
    seeds: dict[str, list[int]] = Field(description="protocol -> seeds")
    folds: int | None = Field(default=None, description="of a protocol with more folds, only so many are run")


class Claim(Part):
    """What a paper says of two rows of its tables."""

    says: str = Field(description="the claim in a sentence")
    source: str = Field(description="where the paper says it")
    row: str
    over: str = Field(description="the row it is compared with")
    better: Literal["higher", "lower"] = Field(
        description="what the paper says of row's number beside over's"
    )


class Paper(Part):
    """``paper.yaml``."""

    title: str
    published: str = Field(description="the paper's name in published.csv")
    corpus: str = Field(description="name of the corpus the published numbers are of")
    kind: Literal["classification", "joint"] = Field(
        description="classification: ACC and BACC of the test part; joint: also NLL of validation, task weights"
    )
    needs: dict[str, str] = Field(description="column that some utterance must have -> what it is called")
    caveats: list[str] = Field(default_factory=list, description="footnotes of every table")
    claims: list[Claim] = Field(
        min_length=1,
        description="of BACC (classification), or of the unweighted NLL of the test part (joint)",
    )
    small: Small
    quick: Quick


class GridCell(Part):
    """A row of the published tables as a recipe."""

    row: str = Field(description="the row's name in published.csv")
    recipe: str
    set: Changes = Field(default_factory=dict)
    lambdas: list[float] = Field(
        default_factory=list,
        description="weights of the emotion loss's last term to try; the best on the test part is reported, and marked",
    )


class Utterances(Part):
    """Of the corpus that the published numbers are of: how many of each class a protocol has."""

    classes: dict[str, int] = Field(min_length=1, description="class -> utterances with a consensus for it")
    beside: str = Field(default="", description="what else it labels, where nobody knows how many those are")


class Definition(Part):
    """``written.yaml``, ``coded.yaml`` or ``honest.yaml``. Later changes win: set, where, the cell's own."""

    description: str
    utterances: Utterances
    seeds: list[int]
    splits: list[Changes] = Field(
        min_length=1, description="the first whose columns the corpus has is the split"
    )
    set: Changes = Field(default_factory=dict)
    where: dict[Literal["votes", "sides"], Changes] = Field(
        default_factory=dict,
        description="changes for corpora that keep votes (IEMOCAP's), or show two people side by side",
    )
    encoders: dict[str, Changes] = Field(
        default_factory=dict, description="encoder -> options, wherever it is used"
    )
    cells: list[GridCell] = Field(min_length=1)


class Switch(Part):
    """One departure of the authors' code, measured alone."""

    name: str
    does: str = Field(description="what the code does, in a sentence")
    source: str = Field(description="section of the facts, or of the code")
    rows: list[str] = Field(min_length=1, description="rows of the base protocol to measure it on")
    base: Changes = Field(default_factory=dict, description="changes of both sides of the comparison")
    set: Changes = Field(default_factory=dict, description="the switch")
    where: Literal["votes", "sides", ""] = Field(default="", description="what the corpus must have")


class Switches(Part):
    """``switches.yaml``."""

    description: str
    protocol: str = Field(description="the protocol whose cells are the base")
    seeds: list[int]
    set: Changes = Field(default_factory=dict, description="of every run, base or switched")
    switches: list[Switch] = Field(min_length=1)


def papers() -> list[str]:
    """The names that 'affuse reproduce' takes."""
    return sorted(folder.name for folder in _folder().iterdir() if folder.is_dir())


def read_paper(name: str) -> Paper:
    """AffuseError with the nearest name if there is no such paper."""
    if name not in papers():
        raise AffuseError(f"{unknown(name, papers(), 'papers')}.")
    return Paper.model_validate(_yaml(name, "paper"))


def read_definition(paper: str, protocol: str) -> Definition:
    """AffuseError with the nearest name if there is no such protocol."""
    if protocol not in PROTOCOLS:
        raise AffuseError(f"{unknown(protocol, list(PROTOCOLS), 'protocols')}.")
    return Definition.model_validate(_yaml(paper, protocol))


def read_switches(paper: str) -> Switches:
    """The departures of the authors' code from the paper's text, each to be measured alone."""
    return Switches.model_validate(_yaml(paper, "switches"))


def published(paper: str) -> pd.DataFrame:
    """The paper's printed numbers: table, row, metric, value, note (what is known against it, or "")."""
    with as_file(package_files("affuse.reproduction") / "published.csv") as path:
        table = read_csv(path, ("value",))
    return table[table["paper"] == paper].reset_index(drop=True)


def _folder() -> Any:
    return package_files("affuse.reproduction") / "papers"


def _yaml(paper: str, name: str) -> Any:
    text = (_folder() / paper / f"{name}.yaml").read_text(encoding="utf-8")
    return read_yaml(text, f"{paper}/{name}.yaml")
