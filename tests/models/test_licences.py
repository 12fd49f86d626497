"""Licences: one line for each part, a verdict that names the part that decides, and what a text says."""

from __future__ import annotations

from pathlib import Path

import pytest

import affuse
from affuse.corpora.schema import CorpusInfo
from affuse.errors import AffuseError
from affuse.models.card import card_text
from affuse.models.card_facts import CardFacts
from affuse.models.defaults import PredictionDefaults, TrainedOn
from affuse.models.joining import Member, join
from affuse.models.licences import PartLicence, commercial_use, licences_of_model, verdict
from affuse.models.saving import save_model
from affuse.models.sources import licence_of
from affuse.recipe import Modality, Recipe
from command import affuse as command
from joined_members import voice_model, words_model


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Apache-2.0", "yes"), ("MIT", "yes"), ("CC0 1.0", "yes"), ("CC BY 4.0", "yes"), ("cc-by-sa-4.0", "yes"),
        ("CC BY-NC-SA 4.0 (non-commercial)", "no"), ("cc-by-nc-4.0", "no"), ("for research only", "no"),
        ("GPL-3.0 (the release's repository); the source is a TV show", "unknown"),
        ("permitted on request", "unknown"), ("", "unknown"), ("not stated in its corpus.yaml", "unknown"),
        ("freely available research corpus (Burkhardt et al. 2005); check before redistribution", "unknown"),
        # what begins like a free licence, and is none
        ("Apache-2.0, not for commercial use", "no"), ("MIT; no commercial use", "no"),
        ("MIT, for research purposes only", "no"), ("Apache-2.0 (code), research use only", "no"),
        ("CC BY\u2011NC 4.0", "no"), ("CC BY\u2013NC", "no"), ("cc_by_nc_4.0", "no"), ("Non commercial", "no"),
        ("free to use for research", "unknown"), ("MIT, commercial use by agreement", "unknown"),
        ("mit and cc-by-nc-4.0", "no"), ("permit", "unknown"),
        # a card's list: each of them counts
        ("mit and house-rules", "unknown"), ("apache-2.0 and agpl-3.0", "unknown"), ("mit, lgpl-3.0", "unknown"),
        ("mit and apache-2.0", "yes"), ("house-rules and cc-by-nc-4.0", "no"),
    ],
)  # fmt: skip
def test_what_a_text_says(text: str, answer: str) -> None:
    assert commercial_use(text) == answer


@pytest.mark.parametrize(
    ("encoder", "model", "licence"),
    [
        ("speech", "facebook/wav2vec2-base", "Apache-2.0"),
        ("bert", "bert-base-uncased", "Apache-2.0"),
        ("speech", "openai/whisper-tiny.en", "Apache-2.0 (MIT in OpenAI's own release)"),
        # CC BY-NC-SA 4.0: it began as Facebook's network, and bears its name
        ("speech", "audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim", None),
        ("bert", "somebody/bert-base-german-emotions", None),
    ],
)
def test_weights_are_known_by_their_owner(encoder: str, model: str, licence: str | None) -> None:
    found = licence_of(Modality(encoder=encoder, options={"model": model}))
    assert found == (licence or "not known to affuse: see where it comes from")


@pytest.mark.parametrize(
    ("front", "licence"),
    [
        ("license: cc-by-nc-4.0", "cc-by-nc-4.0"),
        ("license: [mit, cc-by-nc-4.0]", "mit and cc-by-nc-4.0"),
        ("license: other\nlicense_name: house-rules", "house-rules"),
        ("license: other", "other"),
        ("license: 3", "3"),
        ("license:", None),
        ("license: {of: code}", None),
        ("license: [mit", None),  # no YAML
        ("tags: []", None),
    ],
)
def test_a_folders_own_card_says_its_licence(front: str, licence: str | None, tmp_path: Path) -> None:
    """A name that begins like a known network's says nothing, and a card in any state is no error."""
    folder = tmp_path / "wav2vec2-base"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "README.md").write_text(f"---\n{front}\n---\n# mine\n", encoding="utf-8")
    found = licence_of(Modality(encoder="speech", options={"model": str(folder)}))
    assert found == (licence or "not known to affuse: see where it comes from")
    assert commercial_use(found) == ("no" if "nc" in found else "unknown")


def test_a_file_of_weights_and_a_folder_that_is_gone_are_no_error(tmp_path: Path) -> None:
    weights = tmp_path / "resnet50.safetensors"
    weights.write_bytes(b"")
    for encoder, options in (
        ("resnet50", {"weights": str(weights)}),
        ("resnet50", {"weights": str(tmp_path / "gone.pth")}),
        ("bert", {"model": str(tmp_path / "bert-gone")}),
    ):
        assert licence_of(Modality(encoder=encoder, options=options)).startswith("not known to affuse")


def test_the_verdict_names_the_parts_that_decide() -> None:
    yes, no = PartLicence("head", "h", "MIT", "yes"), PartLicence("training corpus", "R", "CC BY-NC", "no")
    unknown = PartLicence("encoder of text", "e", "?", "unknown")
    assert verdict([yes, unknown]) == "Commercial use: unknown, because of the encoder of text (e: ?)."
    assert verdict([yes, unknown, no]) == "Commercial use: no, because of the training corpus (R: CC BY-NC)."
    assert verdict([yes]).startswith("Commercial use: yes")


def test_the_verdict_names_a_corpus_once() -> None:
    """Two editions of it, or a member's words for its licence and the corpus's own."""
    first = PartLicence("training corpus", "R", "CC BY-NC", "no")
    parts = [first, first._replace(licence="CC BY-NC-SA 4.0"), first]
    assert verdict(parts) == (
        "Commercial use: no, because of the training corpus (R: CC BY-NC / CC BY-NC-SA 4.0)."
    )


def test_every_part_of_a_recipe_is_named() -> None:
    recipe = Recipe.load("mm-dynamic", ["modalities.video.options.crop=detect"])
    trained = PredictionDefaults(trained_on=[TrainedOn(title="RAVDESS", licence="CC BY-NC-SA 4.0")])
    found = licences_of_model(recipe, trained)
    assert [one.part for one in found] == [
        "encoder of audio", "encoder of video", "face detector", "head and affuse", "training corpus",
    ]  # fmt: skip
    assert [one.commercial for one in found if one.part == "face detector"] == ["yes"]
    assert found[-1] == PartLicence("training corpus", "RAVDESS", "CC BY-NC-SA 4.0", "no")
    window = licences_of_model(Recipe.load("mm-dynamic"), PredictionDefaults())
    assert "face detector" not in [one.part for one in window]
    assert window[-1].commercial == "unknown"


def test_a_joined_model_has_the_parts_of_its_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    members = [
        Member.of_folder(voice_model(tmp_path / "voice"), "audio", {}),
        Member.of_folder(words_model(tmp_path / "words"), "text", {"emotion": {"joy": "happiness"}}),
    ]
    save_model(join(members, name="both"), tmp_path / "both")
    found = affuse.licences(tmp_path / "both")
    assert [one.what.split()[0] for one in found.parts[:2]] == ["logmel", "bert"]
    assert found.commercial == "unknown"  # of the small BERT nobody knows
    assert len(found.to_frame()) == len(found.parts)
    ran = command(capsys, monkeypatch, "licences", str(tmp_path / "both"))
    assert ran.code == 0
    assert ran.out.strip().splitlines()[-1] == found.verdict
    with pytest.raises(AffuseError, match="There is no model folder"):
        affuse.licences(tmp_path / "nothing")
    with pytest.raises(AffuseError, match=r"no model folder startr \(did you mean 'starter'\?\)"):
        affuse.licences("startr")


def test_a_member_that_does_not_say_its_corpus_is_not_covered_by_one_that_does(tmp_path: Path) -> None:
    """The voice's folder keeps a free corpus, the words' none: the whole is not free."""
    folder = voice_model(tmp_path / "voice")
    voice = affuse.load(folder)
    voice.defaults = voice.defaults.model_copy(
        update={"trained_on": [TrainedOn(title="free", licence="CC0")]}
    )
    save_model(voice, folder)
    members = [
        Member.of_folder(folder, "audio", {}),
        Member.of_folder(words_model(tmp_path / "words"), "text", {"emotion": {"joy": "happiness"}}),
    ]
    save_model(join(members, name="both"), tmp_path / "both")
    corpora = [one for one in affuse.licences(tmp_path / "both").parts if one.part == "training corpus"]
    assert [(one.what, one.commercial) for one in corpora] == [("free", "yes"), ("of words", "unknown")]


def test_what_hears_the_words_is_a_part() -> None:
    defaults = PredictionDefaults(
        recogniser="openai/whisper-tiny.en", trained_on=[TrainedOn(title="x", licence="MIT")]
    )
    found = licences_of_model(Recipe.load("voice-offline"), defaults)
    (heard,) = [one for one in found if one.part == "recogniser"]
    assert heard.what == "openai/whisper-tiny.en"
    assert heard.commercial == "yes"
    other = licences_of_model(
        Recipe.load("voice-offline"), defaults.model_copy(update={"recogniser": "me/hears"})
    )
    assert verdict(other).startswith("Commercial use: unknown, because of the recogniser (me/hears")


def test_the_card_says_it_too() -> None:
    model = affuse.build("voice-offline")
    facts = CardFacts(
        corpus=CorpusInfo(name="mine", licence="CC BY-NC 4.0"), speakers=2, parts={}, notes=[], fold=0, folds=1,
        stamp="", results={}, tested=[], training="",
    )  # fmt: skip
    told = card_text(model, facts)
    assert "- training corpus: mine: CC BY-NC 4.0" in told
    assert "Commercial use: no, because of the training corpus (mine: CC BY-NC 4.0)." in told
