"""``affuse.adopt``: a model folder made of public models."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.api.inputs import check_corpus, open_cache, open_corpus
from affuse.calls import recorded
from affuse.devices import choose_device
from affuse.errors import AffuseError, argument
from affuse.progress import watched

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.models.adopting import Labels, Source
    from affuse.models.joining import Member
    from affuse.progress import Progress
    from affuse.training.late_fusion import Ground


@recorded
def adopt(
    models: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    weights: Mapping[str, float] | None = None,
    labels: str | Path | Mapping[str, Any] | None = None,
    fit: Corpus | str | Path | None = None,
    name: str | None = None,
    cache: str | Path | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> Path:
    """Make a model folder of public models, and give its path: predict, evaluate, export and push work on it.

    A model may be an audio, text or image classifier of transformers (safetensors alone, none of its own code is run),
    a model or run folder of affuse, or an ONNX file that ``affuse.export`` wrote with raw inputs. Several, one for each
    modality, are joined by late fusion: the weighted mean of their probabilities. Their labels get canonical names.

    Args:
        models: Hub ids ("owner/name" or "owner/name@revision"), folders or ONNX files: one, or one for each modality.
        out: A new folder.
        weights: Modality (audio, text, video) -> its weight, above 0; 1 where it is left out.
        labels: What labels mean that the vocabulary does not know, or knows otherwise: label -> class, None for none;
            or modality -> such a mapping. Or the YAML file of it.
        fit: A corpus, or its folder: weights, temperatures, and what confidence is worth are fitted on it, and a model
            whose outputs are degrees (arousal, valence) gets classes.
        name: Of the model; None: the folder's.
        cache: Folder of the feature cache, for ``fit``; None: $AFFUSE_CACHE, or the user's cache folder.
        device: "auto", "cpu" or "cuda", for ``fit``.
        progress: What it reports to; None: bars in a terminal or notebook, else nothing.

    Raises:
        AffuseError: A model that cannot be reached, is no classifier or holds a pickle; two of one modality; labels
            that nobody knows; or ``out`` is there already. Nothing is written then.

    Examples:
        >>> import affuse
        >>> voice, words = "superb/wav2vec2-base-superb-er", "bhadresh-savani/distilbert-base-uncased-emotion"
        >>> affuse.adopt([voice, words], "models/both", weights={"text": 0.5})  # doctest: +SKIP
        PosixPath('models/both')
        >>> affuse.load("models/both").predict("talk.wav", words="I am so glad.")  # doctest: +SKIP
    """
    out = Path(out)
    named = [str(models)] if isinstance(models, str | Path) else [str(one) for one in models]
    if not named:
        raise AffuseError("Name at least one model to adopt: a Hub id, a folder or an ONNX file.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AffuseError(f"{out} exists already; name a new folder.")
    if fit is not None:
        check_corpus(fit)
        if weights:
            raise AffuseError(f"{argument('fit')} finds the weights; leave {argument('weights')} out.")
    # what is wrong so far is answered at once: these import torch
    from affuse.models.adopted_card import adopted_card
    from affuse.models.adopting import check_outside, find_sources, read_labels
    from affuse.models.joining import join
    from affuse.models.saving import save_model
    from affuse.training.late_fusion import fit_joined, split_corpus

    sources = find_sources(named)
    check_outside(out, sources)
    _check_weights(weights or {}, [source.kind for source in sources])
    for source in sources:  # a head that was never trained has labels too, which mean nothing
        source.check()
    given = read_labels(labels, sources)
    _check_degrees(sources, fit)
    with watched(progress) as watching:
        said: list[str] = []
        corpus = None if fit is None else open_corpus(fit)
        ground = (
            None
            if corpus is None
            else split_corpus(corpus, open_cache(cache), watching, choose_device(device))
        )
        members = _members(sources, given, ground, said)
        about = "; ".join(f"{source.kind}: {source.title}" for source in sources)
        model = join(
            list(members.values()), name=name or out.resolve().name, description=f"Adopted by affuse. {about}.",
            weights=weights,
        )  # fmt: skip
        if ground is not None:
            said += fit_joined(model.eval(), ground)
        for sentence in said:
            watching.say(sentence)
        model.to("cpu")
        card = adopted_card(model, members, said)
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".affuse-", dir=out.parent) as temporary:
            fresh = Path(temporary) / "model"
            save_model(model, fresh, card=card)
            if out.is_dir():
                out.rmdir()
            fresh.rename(out)
    return out


def _members(
    sources: Sequence[Source], given: Mapping[str, Labels], ground: Ground | None, said: list[str]
) -> dict[str, Member]:
    """Modality -> member; those of degrees last, for they tell the classes that the others tell."""
    from affuse.models.adopting import member_of
    from affuse.models.joining import Member
    from affuse.training.late_fusion import TASK, fit_readout

    members: dict[str, Member] = {}
    for source in sources:
        if not source.degrees:
            members[source.kind], sentences = member_of(source, given[source.kind])
            said += sentences
    told = [set(one.classes[TASK].values()) for one in members.values() if TASK in one.classes]
    among = [
        name for name in dict.fromkeys(n for one in told for n in one) if all(name in one for one in told)
    ]
    for source in sources:
        if source.degrees and ground is not None:
            found = fit_readout(source.kind, source.encoder, source.options, ground, sorted(among))
            members[source.kind] = Member(
                source.kind, source.encoder, {**source.options, "readout": found.rows},
                {TASK: dict(enumerate(found.classes))}, found.classes,
            )  # fmt: skip
            said.append(
                f"{source.title} tells {', '.join(source.labels)}; {', '.join(found.classes)} are read out of them by "
                f"a multinomial logistic regression on {found.utterances} training utterances of "
                f"{ground.corpus.info.title}."
            )
    return {source.kind: members[source.kind] for source in sources}


def _check_weights(weights: Mapping[str, float], kinds: Sequence[str]) -> None:
    for kind, weight in weights.items():
        if kind not in kinds:
            raise AffuseError(
                f"{argument('weights')} names {kind}, and the models read {', '.join(kinds)}; correct it, for example "
                f"{argument('weights', {kinds[0]: 0.5})}."
            )
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < float("inf"):
            raise AffuseError(
                f"{argument('weights')}: the weight of {kind} is a number above 0, not {weight}."
            )


def _check_degrees(sources: Sequence[Source], fit: object) -> None:
    for source in sources:
        if source.degrees and fit is None:
            raise AffuseError(
                f"{source.name} tells {', '.join(source.labels)}, which are degrees and no classes; name a corpus with "
                f"labels of emotion by {argument('fit', 'CORPUS')}, on which classes are read out of them."
            )
