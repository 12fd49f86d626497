"""The self-check: the published numbers agree among themselves, and differences are told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from affuse.corpora.readers.iemocap import counts
from affuse.corpora.readers.iemocap.counts import self_check


def release_table() -> pd.DataFrame:
    """A table of 10,039 turns with all published counts: cells solved for from the margins."""
    rows = []
    labels = counts._MAIN
    for session, turns in counts.BY_SESSION.items():
        whole = dict(zip(labels, counts._SESSION_MAIN[session], strict=True))
        improvised = dict(zip(labels, counts._IMPROVISED_MAIN[session], strict=True))
        for scenario, by_label, genders in (
            ("improvised", improvised, counts._IMPROVISED_GENDER[session]),
            (
                "scripted",
                {label: whole[label] - improvised[label] for label in labels},
                np.subtract(counts._SESSION_GENDER[session], counts._IMPROVISED_GENDER[session]),
            ),
        ):
            turns_here = [label for label in labels for _ in range(by_label[label])]
            assert len(turns_here) == sum(genders)
            rows += [[session, scenario, label] for label in turns_here]
        rest = turns - sum(whole.values())
        rows += [[session, "", ""] for _ in range(rest)]
    table = pd.DataFrame(rows, columns=["session", "scenario", "emotion_raw"])
    blank = table["emotion_raw"] == ""
    others = [label for label, n in counts.BY_LABEL.items() if label not in labels for _ in range(n)]
    assert len(others) == blank.sum()
    table.loc[blank, "emotion_raw"] = others
    improvised = counts.BY_SCENARIO["improvised"] - int((table["scenario"] == "improvised").sum())
    table.loc[blank, "scenario"] = ["improvised"] * improvised + ["scripted"] * (len(others) - improvised)
    table["gender"] = "male"
    return table


def test_the_published_counts_agree_with_each_other() -> None:
    labels = counts._MAIN
    assert sum(counts.BY_LABEL.values()) == 10_039
    assert sum(counts.BY_SESSION.values()) == 10_039
    assert sum(counts.BY_SCENARIO.values()) == 10_039
    by_label = np.sum(list(counts._SESSION_MAIN.values()), axis=0)
    assert by_label.tolist() == [counts.BY_LABEL[label] for label in labels]
    assert by_label.sum() == 5531
    improvised = np.sum(list(counts._IMPROVISED_MAIN.values()), axis=0)
    assert improvised.tolist() == np.sum(list(counts._GENDER_MAIN.values()), axis=0).tolist()
    assert improvised.sum() == 2943
    assert improvised.sum() - improvised[labels.index("exc")] == 2280
    for session in counts.BY_SESSION:
        assert sum(counts._SESSION_MAIN[session]) == sum(counts._SESSION_GENDER[session])
        assert sum(counts._IMPROVISED_MAIN[session]) == sum(counts._IMPROVISED_GENDER[session])
    for column, gender in enumerate(("female", "male")):
        assert sum(counts._GENDER_MAIN[gender]) == sum(v[column] for v in counts._IMPROVISED_GENDER.values())


def test_the_release_itself_agrees_in_everything_without_gender() -> None:
    check = self_check(release_table())
    plain = check.table[check.table["gender"] == "all"]
    assert len(plain) == 1 + 11 + 2 + 5 + 25 + 25
    assert (plain["difference"] == 0).all()
    assert check.compared


def test_full_agreement_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame(
        [("Ses01", "improvised", "female", "neu")], columns=["session", "scenario", "gender", "emotion_raw"]
    )
    monkeypatch.setattr(counts, "_expected", lambda: [("Ses01", "all", "all", "all", 1)])
    check = self_check(table)
    assert check.sentences[-1] == "All 1 counts agree with the published ones."


def test_a_difference_is_told_with_place_and_size() -> None:
    table = release_table()
    lost = table[
        (table["session"] == "Ses03") & (table["emotion_raw"] == "ang") & (table["scenario"] == "scripted")
    ]
    check = self_check(table.drop(index=lost.index[:2]))
    told = "\n".join(check.sentences)
    assert "all sessions: 10037 turns found, 10039 published (-2)." in told
    assert "Ses03: 2134 turns found, 2136 published (-2)." in told
    row = check.table.query("session == 'Ses03' and scenario == 'all' and label == 'ang'").iloc[0]
    assert (row["published"], row["found"], row["difference"]) == (240, 238, -2)


def test_many_differences_are_summed_up() -> None:
    check = self_check(release_table().iloc[::2])
    assert "more counts differ" in check.sentences[-1]
    assert len(check.sentences) < 20


def test_a_copy_without_some_sessions_is_compared_only_where_it_can_be() -> None:
    table = release_table()
    check = self_check(table[table["session"].isin(["Ses02", "Ses05"])])
    assert check.sentences[0].startswith("This copy lacks Ses01, Ses03, Ses04: 2 of 5 sessions were read")
    assert set(check.table["session"]) == {"Ses02", "Ses05"}
    plain = check.table[check.table["gender"] == "all"]
    assert (plain["difference"] == 0).all()


def test_a_generated_release_is_counted_and_not_compared() -> None:
    table = release_table().head(50)
    check = self_check(table, generated=True)
    assert not check.compared
    assert check.sentences == [
        "This corpus is generated (50 turns): its counts are not compared with IEMOCAP's."
    ]
    assert check.table["published"].isna().all()
    assert check.table["found"].iloc[0] == 50


@pytest.mark.parametrize("gender", ["female", "male"])
def test_gender_is_counted(gender: str) -> None:
    table = pd.DataFrame(
        {
            "session": "Ses01",
            "scenario": "improvised",
            "gender": [gender] * 3,
            "emotion_raw": ["neu", "exc", "xxx"],
        }
    )
    found = self_check(table).table
    row = found[(found["gender"] == gender) & (found["scenario"] == "all") & (found["label"] == "main")]
    assert row["found"].tolist() == [2]
