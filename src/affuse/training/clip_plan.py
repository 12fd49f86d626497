"""Where the clips of an experiment are: read or encoded once, in the cache, or read live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from affuse.corpora.corpus import Corpus
from affuse.encoders.base import Encoder
from affuse.errors import AffuseError
from affuse.files import digest
from affuse.models.encoder_files import source_digests
from affuse.models.parts import resolve_encoder, resolve_encoders
from affuse.names import counted
from affuse.progress import Progress, tracked
from affuse.recipe import Recipe
from affuse.training.cache import ContentKeys, FeatureCache
from affuse.training.features import CachedSource, LiveSource, Skipped, Source, check_live, extract
from affuse.training.inputs import FILMS_SOUND, has_input, input_of


@dataclass
class ClipPlan:
    """Where every modality's tensors are; can be sent to another process and opened there."""

    corpus: Corpus
    recipe: Recipe
    keys: dict[str, dict[str, str | None] | None]  # modality -> id -> cache key; None: read live
    contents: dict[str, str]  # modality -> digest of every clip's bytes, the encoder's options and weights
    skipped: list[Skipped]
    partial: list[Skipped]  # used as far as they could be decoded
    cache: FeatureCache | None
    device: str

    def size(self) -> int:
        """Bytes of the cached tensors."""
        if self.cache is None:
            return 0
        keys = {key for of_modality in self.keys.values() for key in (of_modality or {}).values() if key}
        return sum(self.cache.size(key) for key in keys)

    def open(self, trained: Mapping[str, Encoder] | None = None) -> dict[str, Source]:
        """Sources in this process; ``trained`` are the network's own encoders, which read for it."""
        opened: dict[str, Source] = {}
        for name, keys in self.keys.items():
            if keys is not None and not any(keys.values()):
                opened[name] = _Nothing(list(keys))
            elif keys is not None and self.cache is not None:
                opened[name] = CachedSource(keys, self.cache)
            else:
                modality = self.recipe.modalities[name]
                encoder = (trained or {}).get(name)
                if encoder is None:
                    encoder = resolve_encoder(modality, name).make()
                rows = {utterance.id: utterance for utterance in self.corpus.utterances()}
                opened[name] = LiveSource(encoder, modality.frozen, rows, self.device)
        return opened


@dataclass
class _Nothing:
    """The source of a modality that no utterance has: no encoder is needed for it."""

    ids: list[str]

    def load(self, id: str) -> None:
        return None


def read_clips(
    corpus: Corpus,
    recipe: Recipe,
    ids: Sequence[str],
    cache: FeatureCache | None,
    progress: Progress,
    device: str = "cpu",
    require: bool = True,
    trained: Mapping[str, Encoder] | None = None,
) -> ClipPlan:
    """Read or encode the clips of ``ids`` in every modality of the recipe, through the cache if there is one.

    Args:
        corpus: Where the clips are named.
        recipe: Resolved on the corpus.
        ids: Of the utterances to be read.
        cache: Of features; None: nothing is kept, and every clip is tried once.
        progress: Reports each modality.
        device: Where frozen encoders run: cpu or cuda.
        require: Raise AffuseError if a modality is missing from every utterance.
        trained: Modality -> the encoder of a trained network, which reads for it; its own source may be gone.
    """
    wanted = set(ids)
    utterances = [u for u in corpus.utterances() if u.id in wanted]
    plan = ClipPlan(corpus, recipe, {}, {}, [], [], cache, device)
    present: dict[str, set[str]] = {}
    resolved = resolve_encoders(recipe)
    for name, modality in recipe.modalities.items():
        if not has_input(resolved[name], corpus.table[corpus.table["id"].isin(wanted)]):
            if require:
                raise AffuseError(
                    f"No utterance has {input_of(resolved[name])} for the modality {name!r}; "
                    "leave it out of the recipe."
                )
            present[name], plan.contents[name] = set(), digest()
            plan.keys[name] = dict.fromkeys((u.id for u in utterances), None)
            continue
        encoder = (trained or {}).get(name) or resolved[name].make()
        if cache is None or not encoder.cached:
            source = LiveSource(encoder, modality.frozen, {u.id: u for u in utterances}, device)
            ids_read = tracked(progress, f"{name} (read once, to check it)", [u.id for u in utterances])
            found, skipped, partial = check_live(name, source, ids_read)
            present[name] = {id for id, there in found.items() if there}
            plan.keys[name] = None
            contents, encoder_key = ContentKeys(), encoder.features_key
            plan.contents[name] = digest(*(contents.key(encoder, encoder_key, u) for u in utterances))
        else:
            advance = progress.start(f"{name} ({modality.encoder})", len(utterances))
            done = extract(name, encoder, modality.frozen, utterances, cache, device, advance)
            skipped, partial = done.skipped, done.partial
            present[name] = {id for id, key in done.keys.items() if key is not None}
            plan.keys[name] = done.keys
            plan.contents[name] = digest(*(f"{id} {key}" for id, key in sorted(done.keys.items())))
            if done.speed:
                progress.say(
                    f"{name}: {done.computed} clips encoded in {done.wall_seconds:.1f} s ({done.speed})."
                )
        if not modality.frozen and (
            files := source_digests(modality, paths_only=True)
        ):  # what training begins with
            plan.contents[name] = digest(plan.contents[name], repr(sorted(files.items())))
        plan.skipped += skipped
        plan.partial += partial
        if require and not present[name]:
            if causes := [*skipped, *partial]:  # it is there, and its own cure is in the cause
                raise AffuseError(
                    f"None of {counted(len(utterances), 'utterance')} can be used for the modality {name!r}; "
                    f"the first cause: {causes[0].cause}"
                )
            raise AffuseError(f"No utterance has the modality {name!r}; leave it out of the recipe.")
    bad = {skip.id for skip in plan.skipped}
    everything = set().union(*present.values())
    hears = any(encoder.kind == "audio" for encoder in resolved.values())
    why = {fault.id: f"; {fault.cause}" for fault in plan.partial}  # no face in its pictures, say
    nothing = {
        u.id: Skipped(
            u.id,
            "all",
            f"the utterance has none of the modalities asked for ({', '.join(recipe.modalities)})"
            + (
                f"; {FILMS_SOUND}" if hears and u.video is not None and u.audio is None else why.get(u.id, "")
            ),
        )
        for u in utterances
        if u.id not in everything and u.id not in bad
    }
    plan.skipped += nothing.values()
    plan.partial = [fault for fault in plan.partial if fault.id not in nothing]
    return plan
