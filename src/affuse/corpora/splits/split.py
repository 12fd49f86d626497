"""A split is a table (id, fold, role, speaker) with a hash; that its parts are disjoint is checked."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from affuse.corpora.schema import first_problem
from affuse.corpora.splits.protocol import GROUPED, SplitProtocol
from affuse.errors import AffuseError
from affuse.files import digest, read_csv, write_csv, write_text
from affuse.files.yaml_text import read_yaml_file, write_yaml
from affuse.names import alike, counted, quote

ROLES = ("train", "validation", "test")
COLUMNS = ("id", "fold", "role", "speaker")
SPEAKER_DEPENDENT = "speaker-dependent"


class Split:
    """Who trains, who validates and who tests in every fold.

    An utterance is at most once in a fold, but for ``protocol.reshuffled``, where it is once in a part. An utterance
    without a speaker may be anybody's, and counts as overlapping.

    Args:
        table: Columns id, fold, role, speaker. The speakers (null: unknown) travel along so that a saved split can be
            checked on its own.
        protocol: By which it was made.

    Attributes:
        table: The same, sorted.
        utterance_overlap: Share (0 to 1) of the test utterances that also train or validate, mean over folds; above 0
            only under ``protocol.reshuffled``.
        speaker_overlap: True if in some fold a test speaker also trains or validates; measured.
        validation_overlap: True if in some fold a validation speaker also trains; measured, and never refused: it is no
            leak into the test.
        stamp: "speaker-dependent" (with the overlap of utterances, if any) or "", to be printed with every result.

    Raises:
        AffuseError: A role or an utterance is wrong, or speakers overlap and the protocol does not allow it.
    """

    def __init__(self, table: pd.DataFrame, protocol: SplitProtocol) -> None:
        self.protocol = protocol
        self.table = _checked(table, protocol)
        self.speaker_overlap, self.validation_overlap = self._measure()
        self.utterance_overlap = self._share_of_test_seen()
        self.stamp = SPEAKER_DEPENDENT if self.speaker_overlap else ""
        if self.utterance_overlap:
            share = f"{100 * self.utterance_overlap:.0f} % of the test utterances train or validate too"
            self.stamp = ", ".join(filter(None, (self.stamp, share)))

    @cached_property
    def hash(self) -> str:
        """Digest of the table and the stamp, the same on every system."""
        return digest(self.table.to_csv(index=False, lineterminator="\n"), self.stamp)

    @cached_property
    def folds(self) -> list[int]:
        """The folds' numbers, in order."""
        return sorted(self.table["fold"].unique().tolist())

    def roles(self, fold: int) -> dict[str, list[str]]:
        """List the fold's ids by role, each sorted; a role nobody has is an empty list."""
        return {role: [*ids] for role, (ids, _) in self._parts_of(fold).items()}

    def rows(self, fold: int) -> pd.DataFrame:
        """The fold's part of the table. Raises AffuseError where there is no such fold."""
        self._parts_of(fold)
        return self.table[self.table["fold"] == fold]

    def check(self, corpus_table: pd.DataFrame) -> None:
        """Raise AffuseError unless every utterance is in the corpus, with the speaker it had."""
        mine = self.table.drop_duplicates("id").set_index("id")["speaker"]
        theirs = speakers_of(corpus_table).reindex(mine.index)
        strangers = mine.index[~mine.index.isin(corpus_table["id"])]
        if len(strangers):
            raise AffuseError(
                f"The split names {counted(len(strangers), 'utterance')} that the corpus does not have (the first is "
                f"{quote(strangers[0])}); make the split again."
            )
        changed = mine.index[mine.fillna("") != theirs.fillna("")]
        if len(changed):
            raise AffuseError(
                f"The corpus has another speaker for {counted(len(changed), 'utterance')} of the split (the first is "
                f"{quote(changed[0])}); make the split again."
            )

    def save(self, path: str | Path) -> None:
        """Write the table as CSV and, beside it with the ending ``.yaml``, protocol, stamp and hash."""
        path = Path(path)
        facts = {
            "hash": self.hash,
            "stamp": self.stamp,
            "speaker_overlap": self.speaker_overlap,
            "validation_overlap": self.validation_overlap,
            "protocol": self.protocol.model_dump(mode="json"),
        }
        write_csv(path, self.table)
        write_text(path.with_suffix(".yaml"), write_yaml(facts))

    @classmethod
    def load(cls, path: str | Path) -> Split:
        """Read a saved split, and check and measure it again.

        Raises:
            AffuseError: A file is missing, no split, or altered since it was saved.
        """
        path = Path(path)
        facts_path = path.with_suffix(".yaml")
        for one in (path, facts_path):
            if not one.is_file():
                raise AffuseError(
                    f"{path} cannot be read as a split (there is no {one}); make the split again."
                )
        facts: dict[str, Any] = read_yaml_file(facts_path)
        try:
            protocol = SplitProtocol.model_validate(facts["protocol"])
            table = read_csv(path)
            table["fold"] = table["fold"].astype(int)
            split, expected = cls(table, protocol), facts["hash"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            problem = first_problem(error)
            raise AffuseError(
                f"{path} and {facts_path.name} cannot be read as a split ({problem}); make the split again."
            ) from None
        if split.hash != expected:
            raise AffuseError(
                f"{path} is not the split that was saved (its hash is {split.hash}, {facts_path.name} says "
                f"{expected}); make the split again."
            )
        return split

    def _parts_of(self, fold: int) -> dict[str, tuple[list[str], list[Any]]]:
        """Role -> ids, and the speaker of each (None: unknown)."""
        if fold not in self._parts:
            raise AffuseError(f"The split has no fold {fold}; it has {self.folds[0]} to {self.folds[-1]}.")
        return self._parts[fold]

    @cached_property
    def _parts(self) -> dict[int, dict[str, tuple[list[str], list[Any]]]]:
        """In one pass: to look for every fold and role in the table takes longer than all the rest of a split."""
        found: dict[int, dict[str, tuple[list[str], list[Any]]]] = {}
        columns = (self.table[name].tolist() for name in COLUMNS)
        for id, fold, role, speaker in zip(*columns, strict=True):
            ids, speakers = found.setdefault(fold, {name: ([], []) for name in ROLES})[role]
            ids.append(id)
            speakers.append(speaker if isinstance(speaker, str) else None)
        return found

    def _share_of_test_seen(self) -> float:
        shares = []
        for fold in self.folds:
            roles = self.roles(fold)
            seen = {*roles["train"], *roles["validation"]}
            shares.append(sum(id in seen for id in roles["test"]) / len(roles["test"]))
        return sum(shares) / len(shares)

    def _measure(self) -> tuple[bool, bool]:
        validation_overlap, found = False, ""
        for fold in self.folds:
            who = {role: speakers for role, (_, speakers) in self._parts_of(fold).items()}
            validation_overlap |= bool(_common(who["validation"], who["train"]))
            in_test = _common(who["test"], who["train"] + who["validation"])
            found = found or (in_test and f"in fold {fold}, {in_test} both the test part and the rest")
        if found and not self.protocol.allow_speaker_overlap:
            raise AffuseError(
                f"Speakers overlap: {found}; set protocol.allow_speaker_overlap: true to accept that, the "
                "results are then stamped speaker-dependent."
            )
        return bool(found), validation_overlap


def _common(some: list[Any], others: list[Any]) -> str:
    """'speaker '03' is in' for the first speaker in both; also where one has no name; '' for none.

    ``Anna`` and ``anna`` count as one speaker: what may be a leak is stamped.
    """
    theirs = {alike(name) for name in {*others} - {None}}
    both = sorted(name for name in {*some} - {None} if alike(name) in theirs)
    if both:
        more = f" (and {len(both) - 1} more)" if len(both) > 1 else ""
        return f"speaker {quote(both[0])}{more} is in"
    unknown_ones = [*some, *others].count(None)
    if unknown_ones and len(some) and len(others):
        return f"{counted(unknown_ones, 'utterance')} without a speaker may be of one in"
    return ""


def _checked(table: pd.DataFrame, protocol: SplitProtocol) -> pd.DataFrame:
    """The table sorted, after the checks that need nothing else."""
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise AffuseError(
            f"A split's table needs the columns {', '.join(COLUMNS)}; {missing[0]!r} is missing."
        )
    if table.empty:
        raise AffuseError("The split has no rows; make the split again.")
    odd = set(table["role"]) - set(ROLES)
    if odd:
        raise AffuseError(f"The split has the role {sorted(odd)[0]!r}; roles are {', '.join(ROLES)}.")
    twice = table[table.duplicated(["id", "fold", "role"] if protocol.reshuffled else ["id", "fold"])]
    if len(twice):
        raise AffuseError(
            f"Utterance {quote(twice['id'].iloc[0])} is twice in fold {twice['fold'].iloc[0]}; parts are disjoint."
        )
    tested = table.loc[table["role"] == "test", "id"]
    again = tested[tested.duplicated()]
    if len(again):
        raise AffuseError(f"Utterance {quote(again.iloc[0])} is tested in two folds; it may be tested once.")
    if protocol.kind in (*GROUPED, "k_fold") and len(tested) != table["id"].nunique():
        raise AffuseError(f"Some utterances are never tested, and with {protocol.kind} each is tested once.")
    for fold, rows in table.groupby("fold"):
        for role in ("train", "test"):
            if not (rows["role"] == role).any():
                raise AffuseError(f"Fold {fold} has no utterance to {role}; ask for fewer folds.")
    kept = pd.DataFrame({name: table[name].to_numpy(dtype=object) for name in COLUMNS})
    kept["fold"] = kept["fold"].astype(int)
    kept["speaker"] = kept["speaker"].where(kept["speaker"].notna() & (kept["speaker"] != ""), None)
    return kept.sort_values(["fold", "id", "role"]).reset_index(drop=True)


def speakers_of(table: pd.DataFrame) -> pd.Series:
    """List the speakers by id, null where unknown."""
    speakers = (
        table["speaker"] if "speaker" in table.columns else pd.Series(None, index=table.index, dtype=object)
    )
    return pd.Series(speakers.to_numpy(dtype=object), index=table["id"].to_numpy(dtype=object))
