"""`text_classifier`: any text classifier of transformers."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder, Reading
from affuse.encoders.classifiers.checkpoint import ClassifierOptions, Scores, copy_files, width_of
from affuse.encoders.pretrained import load
from affuse.encoders.sources import files_key
from affuse.errors import AffuseError
from affuse.files import digest
from affuse.sequence import FeatureSequence

_MOST = 10_000  # tokens; a tokenizer without a limit of its own says an astronomic number


class TextClassifier(Encoder[ClassifierOptions]):
    """A public text classifier: words in, one step of its head's scores out. Always frozen.

    Texts longer than the network's positions are cut.

    Args:
        options: ``ClassifierOptions``.

    Raises:
        AffuseError: The checkpoint cannot be had, or is no text classifier.

    Examples:
        >>> name = "j-hartmann/emotion-english-distilroberta-base"
        >>> encoder = TextClassifier(ClassifierOptions(model=name, revision="refs/pr/7"))  # doctest: +SKIP
    """

    Options = ClassifierOptions
    kind = "text"

    def __init__(self, options: ClassifierOptions) -> None:
        super().__init__(options)
        self.scores = Scores(options, "text")
        config = self.scores.network.config
        self.fill: int = config.pad_token_id or 0
        positions = getattr(config, "max_position_embeddings", None) or _MOST
        # RoBERTa and its kin count positions from the one after the padding's
        shifted = config.model_type in (
            "roberta",
            "camembert",
            "xlm-roberta",
            "xlm-roberta-xl",
            "data2vec-text",
        )
        self.limit: int = positions - (self.fill + 1) * shifted

    @classmethod
    @override
    def width_of(cls, options: ClassifierOptions) -> int:
        return width_of(options)

    @classmethod
    @override
    def reading_of(cls, options: ClassifierOptions) -> Reading:
        return Reading(torch.int64, (), "token id of the encoder's tokenizer, special tokens included")

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer of transformers, loaded when it is first needed."""
        from transformers import AutoTokenizer

        return load(AutoTokenizer, self.options.model, self.options.revision)

    @override
    def check_trainable(self) -> None:
        raise AffuseError(
            "A public classifier stays as it is; set its frozen: true, or train the same network by the encoder bert."
        )

    @override
    def write_source(self, folder: Path, weights: bool) -> dict[str, str | None]:
        """The checkpoint's own files."""
        return copy_files(self.options, folder)

    @override
    def media(self, utterance: Utterance) -> list[Any]:
        return [utterance.text]

    @property
    @override
    def reading_key(self) -> str:
        named = self.options.model, str(self.options.revision), str(self.limit)
        return digest("text of a classifier", *named, *files_key(self.options.model))

    @property
    @override
    def features_key(self) -> str:
        return digest(super().features_key, self.scores.scale)

    def read(self, utterance: Utterance) -> Tensor | None:
        """(tokens,) int64 ids, special tokens included; None where the text is blank."""
        if utterance.text is None or not utterance.text.strip():
            return None
        most = min(self.limit, self.tokenizer.model_max_length, _MOST)
        ids = self.tokenizer(utterance.text, truncation=True, max_length=most)["input_ids"]
        return torch.tensor(ids, dtype=torch.int64)

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, tokens) -> (batch, 1, scores)."""
        values, mask = clips
        # a row without a token would be softmax over nothing; its mask keeps the result out
        attention = mask | ~mask.any(dim=1, keepdim=True)
        ids = values.long().masked_fill(~mask, self.fill)
        scores = self.scores(input_ids=ids, attention_mask=attention.long())
        present = clips.present[:, None]
        return FeatureSequence(scores[:, None] * present[..., None], present)
