"""Words of the test part that are trained on too."""

from __future__ import annotations

import unicodedata

import pandas as pd

from affuse.corpora.splits.split import Split


def transcript_overlap(corpus_table: pd.DataFrame, split: Split, fold: int) -> float:
    """Measure how many of a fold's test utterances have words that occur verbatim in its training part.

    Words are compared in lower case without punctuation; utterances without words do not count.

    Returns:
        A share from 0 to 1; NaN where no test utterance has words.
    """
    texts = corpus_table.set_index("id")["text"].dropna().map(_normal_text)
    texts = texts[texts != ""]
    roles = split.roles(fold)
    seen = set(texts[texts.index.isin(roles["train"])])
    tested = texts[texts.index.isin(roles["test"])]
    return float(tested.isin(seen).mean()) if len(tested) else float("nan")


def _normal_text(text: str) -> str:
    return " ".join("".join(c for c in text.lower() if unicodedata.category(c)[0] != "P").split())
