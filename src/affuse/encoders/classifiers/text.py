"""`text_classifier`: any text classifier of transformers."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder, Reading
from affuse.encoders.classifiers.checkpoint import ClassifierOptions, Scores, copy_files, width_of
from affuse.encoders.sources import files_key
from affuse.encoders.text import load_tokenizer, positions_of
from affuse.errors import AffuseError, argument
from affuse.files import digest
from affuse.sequence import FeatureSequence, pad

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
        self.fill: int = self.scores.network.config.pad_token_id or 0
        self.limit: int = positions_of(self.scores.network) or _MOST

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
        return load_tokenizer(self.options.model, self.options.revision)

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

    @cached_property
    def batched(self) -> bool:
        """Whether texts of several lengths may go through the network together, found out on two.

        Some networks take the last token for their answer, or refuse padding; their texts go one by one.
        """
        long, short = self._tried()
        with torch.inference_mode():
            alone = torch.cat([self._answers(pad([one])) for one in (long, short)])
            try:
                together = self._answers(pad([long, short]))
            except (ValueError, RuntimeError):  # no token for padding, say
                return False
        return torch.allclose(alone, together, rtol=1e-3, atol=1e-3)

    @override
    def exportable(self) -> nn.Module:
        fits = self.batched
        try:
            with torch.inference_mode():
                self._answers(pad([self._tried()[0], None]))
        except (ValueError, RuntimeError):  # it counts its end tokens, and a missing text has none
            fits = False
        if not fits:
            raise AffuseError(
                f"{self.options.model} cannot be part of an ONNX file, since it takes no padded batch of texts; export "
                f"with {argument('inputs', 'features')}."
            )
        return self

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, tokens) -> (batch, 1, scores)."""
        present = clips.present[:, None]
        if torch.compiler.is_exporting():  # no size may depend on the mask
            return FeatureSequence(self._answers(clips)[:, None] * present[..., None], present)
        values = torch.zeros(len(present), 1, self.width_of(self.options), device=clips.values.device)
        rows = clips.present.nonzero()[:, 0]
        for part in [rows] if self.batched else rows.split(1):
            if len(part):
                steps = int(clips.lengths[part].max())
                some = FeatureSequence(clips.values[part, :steps], clips.mask[part, :steps])
                values[part, 0] = self._answers(some)
        return FeatureSequence(values, present)

    def _answers(self, clips: FeatureSequence) -> Tensor:
        """(batch, scores) of all rows."""
        values, mask = clips
        # a row without a token would be softmax over nothing; its mask keeps the result out
        attention = mask | ~mask.any(dim=1, keepdim=True)
        ids = values.long().masked_fill(~mask, self.fill)
        return self.scores(input_ids=ids, attention_mask=attention.long())

    def _tried(self) -> list[Tensor]:
        """A longer and a shorter text as ids, where the network is."""
        device = next(self.scores.parameters()).device
        texts = ("one two three four five six", "one")
        return [
            torch.tensor(self.tokenizer(text)["input_ids"][: self.limit], device=device) for text in texts
        ]
