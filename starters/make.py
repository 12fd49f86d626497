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

from affuse import Recipe
from affuse.encoders.fingerprint import fingerprint
from affuse.encoders.speech import SpeechEncoder, SpeechOptions
from affuse.errors import AffuseError
from affuse.files import write_json, write_text
from affuse.models.finding import STARTERS
from affuse.models.index import ENCODERS, PREPROCESSING, RECIPE, read_index, read_json, write_index
from affuse.models.joining import Member, join
from affuse.models.network import Model
from affuse.models.saving import save_model

ABOUT = (
    "voice (EmoDB: ten German actors) and, where they are given, English words (GoEmotions); anger, happiness, "
    "sadness, neutral, and the speaker's gender as annotated. Right in about half of strangers' clips: see "
    "docs/starter.md."
)


ABOUT_WHISPER = (
    "voice (Whisper tiny.en; EmoDB: ten German actors) and the English words that the same Whisper hears (GoEmotions); "
    "anger, happiness, sadness, neutral, and the speaker's gender as annotated: see docs/starter.md."
)
WHISPER = "openai/whisper-tiny.en"


def make_starter(data: Path, folder: Path, out: Path) -> None:
    """Train both halves and write the model folder ``starter``."""
    heads = {
        "audio": voice.train(data / "emodb", folder / "voice"),
        "text": words.train(data / "goemotions", folder),
    }
    model = joined(heads, folder / "members", "starter", ABOUT)
    shutil.rmtree(out, ignore_errors=True)
    save_model(model, out, card=card(model))


def make_whisper(data: Path, folder: Path, out: Path, whisper: Path) -> None:
    """The same over Whisper's encoder, from a folder with its weights; the model names them by their Hub id."""
    trained = voice.train(data / "emodb", folder / "whisper", voice.WHISPER, encoder=whisper)
    write_whisper({"audio": trained, "text": words.train(data / "goemotions", folder)}, folder, out, whisper)


def write_whisper(heads: dict[str, Model], folder: Path, out: Path, whisper: Path) -> None:
    """Join the heads, and write the model folder ``starter-whisper``."""
    model = joined(heads, folder / "members-whisper", "starter-whisper", ABOUT_WHISPER)
    model.defaults = model.defaults.model_copy(update={"recogniser": WHISPER})
    network = SpeechEncoder(SpeechOptions(model=str(whisper), context=10)).network
    shutil.rmtree(out, ignore_errors=True)
    save_model(model, out, card=card(model))
    name_by_hub(out, "audio", {"model": WHISPER, "fingerprint": fingerprint(network)})  # type: ignore[arg-type]


def joined(heads: dict[str, Model], folder: Path, name: str, about: str) -> Model:
    """One model of a head for each modality, which are written to ``folder``."""
    members = []
    for kind, model in heads.items():
        save_model(model, folder / kind)
        members.append(Member.of_folder(folder / kind, kind, {}))
    return join(members, name=name, description=about)


def name_by_hub(out: Path, modality: str, options: dict[str, str]) -> None:
    """Let a member name its encoder by what anybody can fetch, in the place of a folder of this machine."""
    member = out / ENCODERS / modality
    recipe = Recipe.load(member / RECIPE)
    changes = {f"modalities.{modality}.options.{key}": value for key, value in options.items()}
    write_text(member / RECIPE, recipe.changed(changes).to_yaml())
    about = read_json(member / PREPROCESSING)
    about["modalities"][modality]["options"] |= options
    about["modalities"][modality]["files"] = {}  # the fingerprint says more
    write_json(member / PREPROCESSING, about)
    write_index(member, list(read_index(member)))
    write_index(out, list(read_index(out)))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument(
        "--whisper", type=Path, help=f"folder with the weights of {WHISPER}: makes starter-whisper too"
    )
    parser.add_argument("--work", type=Path, help="folder for features and runs (default: a temporary one)")
    given = parser.parse_args()
    for name in ("emodb", "goemotions"):
        if not (given.data / name).is_dir():
            raise SystemExit(
                f"There is no {given.data / name}; name the folder that holds emodb/ and goemotions/."
            )
    with tempfile.TemporaryDirectory() as temporary:
        try:
            work = given.work or Path(temporary)
            make_starter(given.data, work, STARTERS / "starter")
            if given.whisper is not None:
                make_whisper(given.data, work, STARTERS / "starter-whisper", given.whisper)
        except AffuseError as error:
            raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
