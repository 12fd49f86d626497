"""Self-check: what was read against the release's published counts.

Sources of the numbers: the label files' own totals as published by several users of the release, and two toolkits'
lists of its four-class turns, which agree with each other (../shared/facts/dynamic-joint-loss.md, section 4d).
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from affuse.names import counted

# Consensus codes over the whole release: 10,039 turns.
BY_LABEL = {
    "xxx": 2507, "fru": 1849, "neu": 1708, "ang": 1103, "sad": 1084, "exc": 1041, "hap": 595, "sur": 107, "fea": 40,
    "oth": 3, "dis": 2,
}  # fmt: skip
BY_SESSION = {"Ses01": 1819, "Ses02": 1811, "Ses03": 2136, "Ses04": 2103, "Ses05": 2170}
BY_SCENARIO = {"improvised": 4784, "scripted": 5255}

_MAIN = ("ang", "hap", "exc", "neu", "sad")
# All dialogs, per session, in the order of _MAIN.
_SESSION_MAIN = {
    "Ses01": (229, 135, 143, 384, 194),
    "Ses02": (137, 117, 210, 362, 197),
    "Ses03": (240, 135, 151, 320, 305),
    "Ses04": (327, 65, 238, 258, 143),
    "Ses05": (170, 143, 299, 384, 245),
}
# Improvised dialogs, per session.
_IMPROVISED_MAIN = {
    "Ses01": (62, 33, 99, 223, 104),
    "Ses02": (22, 54, 137, 217, 100),
    "Ses03": (90, 60, 89, 198, 190),
    "Ses04": (84, 31, 164, 174, 81),
    "Ses05": (31, 106, 174, 287, 133),
}
# Turns of the five main labels together, by speaker's gender: all dialogs, and improvised ones.
_SESSION_GENDER = {
    "Ses01": (528, 557), "Ses02": (481, 542), "Ses03": (522, 629), "Ses04": (528, 503), "Ses05": (590, 651),
}  # fmt: skip
_IMPROVISED_GENDER = {
    "Ses01": (271, 250), "Ses02": (273, 257), "Ses03": (305, 322), "Ses04": (268, 266), "Ses05": (366, 365),
}  # fmt: skip
# Improvised dialogs over all sessions, by gender and label.
_GENDER_MAIN = {"female": (131, 148, 370, 506, 328), "male": (158, 136, 293, 593, 280)}

COLUMNS = ["session", "scenario", "gender", "label", "published", "found"]
_LISTED = 12  # differences that are given one by one


@dataclass(frozen=True)
class SelfCheck:
    """Counts of a release beside the published ones.

    Args:
        table: One row per count, columns COLUMNS and difference ("all": not narrowed by this column).
        sentences: What the user should know, agreement included.
        compared: False: a generated release, which is counted only.
    """

    table: pd.DataFrame
    sentences: list[str]
    compared: bool


def self_check(table: pd.DataFrame, generated: bool = False) -> SelfCheck:
    """Count the turns of a release and compare them with the published counts of the sessions it has.

    Args:
        table: Columns session, scenario, gender, emotion_raw; every turn, before a protocol leaves some out.
        generated: The release was made by a program: it is counted and not compared.
    """
    sessions = sorted(table["session"].unique())
    whole = set(BY_SESSION) <= set(sessions)
    rows = [
        {**dict(zip(COLUMNS, row, strict=False)), "found": _count(table, *row[:4])}
        for row in _expected()
        if row[0] in sessions or (row[0] == "all" and (whole or generated))
    ]
    found = pd.DataFrame(rows, columns=COLUMNS)
    if generated:
        found["published"] = found["difference"] = pd.NA
        return SelfCheck(
            found,
            [
                f"This corpus is generated ({counted(len(table), 'turn')}): its counts are not compared with IEMOCAP's."
            ],
            compared=False,
        )
    found["difference"] = found["found"] - found["published"]
    return SelfCheck(found, _sentences(found, sessions), compared=True)


def _expected() -> list[tuple[str, str, str, str, int]]:
    """(session, scenario, gender, label, published); label "main" is the five of _MAIN together."""
    rows: list[tuple[str, str, str, str, int]] = [("all", "all", "all", "all", sum(BY_LABEL.values()))]
    rows += [("all", "all", "all", label, number) for label, number in BY_LABEL.items()]
    rows += [("all", scenario, "all", "all", number) for scenario, number in BY_SCENARIO.items()]
    rows += [(session, "all", "all", "all", number) for session, number in BY_SESSION.items()]
    for gender, numbers in _GENDER_MAIN.items():
        rows += [("all", "improvised", gender, label, n) for label, n in zip(_MAIN, numbers, strict=True)]
    for scenario, by_label, by_gender in (
        ("all", _SESSION_MAIN, _SESSION_GENDER),
        ("improvised", _IMPROVISED_MAIN, _IMPROVISED_GENDER),
    ):
        for session, numbers in by_label.items():
            rows += [(session, scenario, "all", label, n) for label, n in zip(_MAIN, numbers, strict=True)]
        for session, numbers in by_gender.items():
            rows += [
                (session, scenario, gender, "main", n)
                for gender, n in zip(("female", "male"), numbers, strict=True)
            ]
    return rows


def _count(table: pd.DataFrame, session: str, scenario: str, gender: str, label: str) -> int:
    chosen = pd.Series(True, index=table.index)
    for column, value in (("session", session), ("scenario", scenario), ("gender", gender)):
        if value != "all":
            chosen &= table[column] == value
    if label == "main":
        chosen &= table["emotion_raw"].isin(list(_MAIN))
    elif label != "all":
        chosen &= table["emotion_raw"] == label
    return int(chosen.sum())


def _sentences(found: pd.DataFrame, sessions: list[str]) -> list[str]:
    sentences = []
    missing = [session for session in BY_SESSION if session not in sessions]
    if missing:
        sentences.append(
            f"This copy lacks {', '.join(missing)}: {len(sessions)} of {len(BY_SESSION)} sessions were read, and only "
            "these are compared with the published counts."
        )
    differing = [row for row in found.to_dict("records") if row["difference"]]
    if not differing:
        sentences.append(f"All {len(found)} counts agree with the published ones.")
        return sentences
    sentences += [_difference(row) for row in differing[:_LISTED]]
    if len(differing) > _LISTED:
        sentences.append(f"{len(differing) - _LISTED} more counts differ; counts.csv has them all.")
    return sentences


def _difference(row: dict) -> str:
    where = [
        "all sessions" if row["session"] == "all" else row["session"],
        *(row[name] for name in ("scenario", "gender") if row[name] != "all"),
    ]
    what = {"all": "turns", "main": "turns of ang, hap, exc, neu, sad"}.get(
        row["label"], f"{row['label']} turns"
    )
    return f"{', '.join(where)}: {row['found']} {what} found, {row['published']} published ({row['difference']:+d})."
