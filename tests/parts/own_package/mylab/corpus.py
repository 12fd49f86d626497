"""Recordings in a folder for each emotion: anger/f01_3.wav is take 3 of speaker f01, a woman."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from affuse import AffuseError, Corpus
from affuse.corpora.schema import CorpusInfo


def prepare(source: Path, out: Path, *, emotions: list[str] | None = None, name: str = "folders") -> Corpus:
    """Recordings in a folder for each emotion: EMOTION/SPEAKER_TAKE.wav, speakers f01, m01, ...

    Args:
        source: The folder of folders.
        out: The corpus folder to write.
        emotions: Keep only these; all without it.
        name: Of the corpus.
    """
    files = [
        path for path in sorted(source.glob("*/*_*.wav")) if emotions is None or path.parent.name in emotions
    ]
    if not files:
        raise AffuseError(f"{source} has no EMOTION/SPEAKER_TAKE.wav; check the folder and the emotions.")
    rows = [
        {
            "id": f"{path.parent.name}_{path.stem}",
            "audio": str(path.relative_to(source)),
            "speaker": path.stem.partition("_")[0],
            "gender": {"f": "female", "m": "male"}.get(path.stem[0]),
            "emotion": path.parent.name,
        }
        for path in files
    ]
    spaces = {"emotion": sorted({path.parent.name for path in files}), "gender": ["female", "male"]}
    info = CorpusInfo(name=name, media_root=str(source.resolve()), label_spaces=spaces)
    return Corpus(pd.DataFrame(rows), info).save(out)
