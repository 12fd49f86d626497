"""Train the starters again, from the corpora to the model folders in src/affuse/starters: ``make starter``.

The same bytes on one machine. ``DATA`` is the folder that holds emodb/ and goemotions/.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import voice
import words
from card import card

from affuse.errors import AffuseError
from affuse.models.finding import STARTERS
from affuse.models.joining import Member, join
from affuse.models.saving import save_model

ABOUT = (
    "voice (EmoDB: ten German actors) and, where they are given, English words (GoEmotions); anger, happiness, "
    "sadness, neutral, and the speaker's gender as annotated. Right in about half of strangers' clips: see "
    "docs/starter.md."
)


def make_starter(data: Path, folder: Path, out: Path) -> None:
    """Train both halves and write the model folder ``starter``."""
    members = {
        "audio": voice.train(data / "emodb", folder / "voice"),
        "text": words.train(data / "goemotions", folder),
    }
    joined = []
    for kind, model in members.items():
        save_model(model, folder / "members" / kind)
        joined.append(Member.of_folder(folder / "members" / kind, kind, {}))
    model = join(joined, name="starter", description=ABOUT)
    shutil.rmtree(out, ignore_errors=True)
    save_model(model, out, card=card(model))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--work", type=Path, help="folder for features and runs (default: a temporary one)")
    given = parser.parse_args()
    for name in ("emodb", "goemotions"):
        if not (given.data / name).is_dir():
            raise SystemExit(
                f"There is no {given.data / name}; name the folder that holds emodb/ and goemotions/."
            )
    with tempfile.TemporaryDirectory() as temporary:
        try:
            make_starter(given.data, given.work or Path(temporary), STARTERS / "starter")
        except AffuseError as error:
            raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
