"""The figure of all protocols, where a row is missing in one of them."""

import pandas as pd

from affuse.reproduction.report.figure import protocols_figure


def test_a_row_that_failed_in_one_protocol_leaves_its_place_empty() -> None:
    lines = [("A", "written", 60.0), ("B", "written", 70.0), ("A", "honest", 50.0)]
    frame = pd.DataFrame(lines, columns=["row", "protocol", "value"])
    frame = frame.assign(low=frame["value"] - 5, high=frame["value"] + 5, published=float("nan"), on_test="")
    frame["metric"] = "emotion_bacc"
    drawn = protocols_figure(frame, "emotion_bacc", "emotion BACC")
    for svg in drawn:
        assert svg.startswith("<svg")
        for word in (">A<", ">B<", ">as written<", ">honest<"):
            assert word in svg
        assert ">published<" not in svg
