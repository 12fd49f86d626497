"""A split is a table (id, fold, role, speaker) with a hash; that its parts are disjoint is checked."""

from __future__ import annotations

import unicodedata
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from affuse.corpora.assignment import assign, overlapping_parts
from affuse.corpora.corpus import first_problem
from affuse.corpora.protocol import GROUPED, SplitProtocol, ValidationPart
from affuse.errors import AffuseError
from affuse.files import digest, read_csv, write_csv, write_text
from affuse.files.yaml_text import read_yaml_file, write_yaml
from affuse.names import alike, quote
from affuse.registry import unknown

__all__ = ["ROLES", "Split", "SplitProtocol", "ValidationPart", "make_split", "transcript_overlap"]

ROLES = ("train", "validation", "test")
COLUMNS = ("id", "fold", "role", "speaker")
SPEAKER_DEPENDENT = "speaker-dependent"


class Split:
    """Who trains, who validates and who tests in every fold.

    table:              (id, fold, role, speaker), sorted. The speakers (null: unknown) travel along so that a
                        saved split can be checked on its own.
    utterance_overlap:  share (0 to 1) of the test utterances that also train or validate, mean over folds; above 0
                        only under ``protocol.reshuffled``
    speaker_overlap:    True if in some fold a test speaker also trains or validates; measured
    validation_overlap: True if in some fold a validation speaker also trains; measured, and never refused:
                        it is no leak into the test
    stamp:              "speaker-dependent" (with the overlap of utterances, if any) or "", to be printed with
                        every result

    An utterance is at most once in a fold, but for ``protocol.reshuffled``, where it is once in a part.

    Raises AffuseError where a role or an utterance is wrong, or where speakers overlap and the protocol does
    not allow it. An utterance without a speaker may be anybody's, and counts as overlapping.
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
        """Digest of the table and the stamp."""
        return digest(self.table.to_csv(index=False), self.stamp)

    @cached_property
    def folds(self) -> list[int]:
        return sorted(self.table["fold"].unique().tolist())

    def roles(self, fold: int) -> dict[str, list[str]]:
        """The fold's ids by role, each sorted; a role nobody has is an empty list."""
        rows = self._rows(fold)
        return {role: rows.loc[rows["role"] == role, "id"].tolist() for role in ROLES}

    def _rows(self, fold: int) -> pd.DataFrame:
        if fold not in self.folds:
            raise AffuseError(f"The split has no fold {fold}; it has {self.folds[0]} to {self.folds[-1]}.")
        return self.table[self.table["fold"] == fold]

    def check(self, corpus_table: pd.DataFrame) -> None:
        """Raise AffuseError unless every utterance is in the corpus, with the speaker it had."""
        mine = self.table.drop_duplicates("id").set_index("id")["speaker"]
        theirs = _speakers(corpus_table).reindex(mine.index)
        strangers = mine.index[~mine.index.isin(corpus_table["id"])]
        if len(strangers):
            raise AffuseError(
                f"The split names {len(strangers)} utterances that the corpus does not have (the first is "
                f"{quote(strangers[0])}); make the split again."
            )
        changed = mine.index[mine.fillna("") != theirs.fillna("")]
        if len(changed):
            raise AffuseError(
                f"The corpus has another speaker for {len(changed)} utterances of the split (the first is "
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
        """Read a saved split and check and measure it again.

        Raises AffuseError where a file is missing, not a split, or altered since it was saved.
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
            rows = self._rows(fold)
            who = {role: rows.loc[rows["role"] == role, "speaker"] for role in ROLES}
            validation_overlap |= bool(_common(who["validation"], who["train"]))
            in_test = _common(who["test"], pd.concat([who["train"], who["validation"]]))
            found = found or (in_test and f"in fold {fold}, {in_test} both the test part and the rest")
        if found and not self.protocol.allow_speaker_overlap:
            raise AffuseError(
                f"Speakers overlap: {found}; set protocol.allow_speaker_overlap: true to accept that, the "
                "results are then stamped speaker-dependent."
            )
        return bool(found), validation_overlap


def make_split(corpus_table: pd.DataFrame, protocol: SplitProtocol, label_column: str) -> Split:
    """Split the utterances of a corpus table (``Corpus.table``) by a protocol.

    label_column: the task whose classes are balanced; utterances without a label count as one more class

    The result depends on the ids, labels, groups and seed, not on the order of rows. Raises AffuseError, with
    the cure, for one class only, one group only, fewer groups than folds, blank groups, duplicate ids, a
    class that some fold cannot train or no fold tests, and overlapping speakers.
    """
    validation_by = protocol.validation.by if protocol.validation else ()
    for column in dict.fromkeys([label_column, *protocol.by, *validation_by]):
        if column not in corpus_table.columns:
            raise AffuseError(f"{unknown(column, list(corpus_table.columns), 'columns of the corpus')}.")
    if corpus_table["id"].hasnans or not corpus_table["id"].is_unique:
        raise AffuseError("The corpus has blank or duplicate ids; 'affuse validate' names the rows.")
    if any(character < " " for one in corpus_table["id"] for character in str(one)):
        raise AffuseError(
            "The corpus has ids with line breaks or the like; 'affuse validate' names the rows."
        )
    table = corpus_table.sort_values("id", key=lambda ids: ids.astype(object)).reset_index(drop=True)
    table["id"] = table["id"].astype(object)
    labels = table[label_column].astype(object).where(table[label_column].notna(), "")
    classes = sorted(set(labels) - {""})
    if len(classes) < 2:
        only = f"only {classes[0]!r}" if classes else "none"
        raise AffuseError(
            f"The corpus has {only} as {label_column}; telling classes apart needs at least two. Check the "
            "label map, or what was left out."
        )
    table["label"] = labels
    table["speaker"] = _speakers(table).to_numpy()
    if protocol.reshuffled:
        parts = [
            table.loc[taken, ["id", "speaker"]].assign(fold=0, role=role)
            for role, taken in overlapping_parts(table, protocol)
        ]
    else:
        parts = [
            table[["id", "speaker"]].assign(fold=fold, role=roles)
            for fold, roles in enumerate(assign(table, protocol))
        ]
    split = Split(pd.concat(parts), protocol)
    _check_classes(split, table.set_index("id")["label"], classes, label_column)
    return split


def transcript_overlap(corpus_table: pd.DataFrame, split: Split, fold: int) -> float:
    """Share (0 to 1) of the fold's test utterances whose words occur verbatim in its training part.

    Words are compared in lower case without punctuation; utterances without words do not count. NaN where no
    test utterance has any.
    """
    texts = corpus_table.set_index("id")["text"].dropna().map(_normal_text)
    texts = texts[texts != ""]
    roles = split.roles(fold)
    seen = set(texts[texts.index.isin(roles["train"])])
    tested = texts[texts.index.isin(roles["test"])]
    return float(tested.isin(seen).mean()) if len(tested) else float("nan")


def _normal_text(text: str) -> str:
    return " ".join("".join(c for c in text.lower() if unicodedata.category(c)[0] != "P").split())


def _common(some: pd.Series, others: pd.Series) -> str:
    """'speaker '03' is in' for the first speaker in both; also where one has no name; '' for none.

    ``Anna`` and ``anna`` count as one speaker: what may be a leak is stamped.
    """
    theirs = {alike(str(name)) for name in others.dropna().unique()}
    both = sorted(str(name) for name in some.dropna().unique() if alike(str(name)) in theirs)
    if both:
        more = f" (and {len(both) - 1} more)" if len(both) > 1 else ""
        return f"speaker {quote(both[0])}{more} is in"
    unknown_ones = int(some.isna().sum() + others.isna().sum())
    if unknown_ones and len(some) and len(others):
        return f"{unknown_ones} utterances have no speaker and may be of one in"
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


def _speakers(table: pd.DataFrame) -> pd.Series:
    """id -> speaker, null where unknown."""
    speakers = (
        table["speaker"] if "speaker" in table.columns else pd.Series(None, index=table.index, dtype=object)
    )
    return pd.Series(speakers.to_numpy(dtype=object), index=table["id"].to_numpy(dtype=object))


def _check_classes(split: Split, label_of: pd.Series, classes: list[str], column: str) -> None:
    """Every class must be trained in every fold and tested in one."""

    def told(label: str) -> str:
        return f"{column} {label!r} ({int((label_of == label).sum())} utterances in the corpus)"

    tested: set[str] = set()
    for fold in split.folds:
        roles = split.roles(fold)
        for label in sorted(set(classes) - set(label_of[roles["train"]])):
            raise AffuseError(
                f"Fold {fold} has nothing to train {told(label)} on; leave that class out, or change the "
                "split: fewer folds, or groups over which the class is spread."
            )
        tested |= set(label_of[roles["test"]])
    for label in sorted(set(classes) - tested):
        raise AffuseError(f"No fold tests {told(label)}; leave that class out, or use another split.")
