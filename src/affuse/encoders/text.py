"""`bert`: any transformers text encoder."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder, EncoderOptions, Reading
from affuse.encoders.pretrained import hidden_size, is_local, load, load_network
from affuse.encoders.sources import files_key, find_files
from affuse.errors import AffuseError
from affuse.files import digest
from affuse.sequence import FeatureSequence

_MOST = 512  # tokens for a network without a limit of its own


class TextOptions(EncoderOptions):
    """Options of ``bert``."""

    model: str = Field(default="bert-base-uncased", description="Hub id, folder, or package:NAME/FOLDER")
    revision: str | None = Field(default=None, description="commit or tag of the Hub model")
    output: Literal["tokens", "pooled", "mean"] = Field(
        default="tokens", description="one step per token; the model's pooled [CLS]; or the mean over tokens"
    )
    max_tokens: int | None = Field(
        default=None, gt=1, description="longer texts are cut; null: the model's limit"
    )


class TextEncoder(Encoder[TextOptions]):
    """BERT and similar text encoders: tokens with their mask in, hidden states out.

    Args:
        options: ``TextOptions``.

    Raises:
        AffuseError: The model cannot be had, or has no pooled output where one is asked for.

    Examples:
        >>> encoder = TextEncoder(TextOptions(model="bert-base-uncased"))  # doctest: +SKIP
        >>> encoder.width_of(encoder.options)  # doctest: +SKIP
        768
    """

    Options = TextOptions
    kind = "text"

    def __init__(self, options: TextOptions) -> None:
        super().__init__(options)
        from transformers import AutoModel

        self.network = load_network(AutoModel, options.model, options.revision)
        pooler: Any = getattr(self.network, "pooler", None)
        trained = pooler is not None and any(bool(one.any()) for one in pooler.parameters())
        if options.output == "pooled" and not trained:
            raise AffuseError(
                f"{options.model} has no trained pooled output; set the text encoder's option output: mean or tokens."
            )
        self.limit = min(options.max_tokens or 10**6, positions_of(self.network) or _MOST)

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer of transformers, loaded when it is first needed."""
        return load_tokenizer(self.options.model, self.options.revision)

    @classmethod
    @override
    def width_of(cls, options: TextOptions) -> int:
        from transformers import BertConfig

        if options.model == "bert-base-uncased":  # BertConfig's defaults; known without a download
            return BertConfig().hidden_size
        return hidden_size(options.model, options.revision)

    @classmethod
    @override
    def reading_of(cls, options: TextOptions) -> Reading:
        return Reading(torch.int64, (), "token id of the encoder's tokenizer, special tokens included")

    def write_source(self, folder: Path, weights: bool) -> dict[str, str | None]:
        """Config and tokenizer; with ``weights``, the network as it is now."""
        (self.network if weights else self.network.config).save_pretrained(folder)  # type: ignore[operator]
        self.tokenizer.save_pretrained(folder)
        return {"model": ".", "revision": None}

    @override
    def media(self, utterance: Utterance) -> list[Any]:
        return [utterance.text]

    @property
    def reading_key(self) -> str:
        """The tokenizer by its name, one of this machine by its files too: a name can come to mean another."""
        named = self.options.model, str(self.options.revision), str(self.limit)
        return digest("text", *named, *files_key(self.options.model))

    def read(self, utterance: Utterance) -> Tensor | None:
        """(tokens,) int64 ids, special tokens included; None where the text is blank."""
        if utterance.text is None or not utterance.text.strip():
            return None
        ids = self.tokenizer(utterance.text, truncation=True, max_length=self.limit)["input_ids"]
        return torch.tensor(ids, dtype=torch.int64)

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, tokens) -> (batch, tokens, width); one step for "pooled" and "mean"."""
        values, mask = clips
        # a row without a token would be softmax over nothing; its mask keeps the result out
        attention = mask | ~mask.any(dim=1, keepdim=True)
        output = self.network(input_ids=values.long(), attention_mask=attention.long())
        if self.options.output == "pooled":
            return FeatureSequence(output.pooler_output[:, None], clips.present[:, None])
        hidden = output.last_hidden_state * mask[:, :, None]
        if self.options.output == "mean":
            mean = hidden.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
            return FeatureSequence(mean[:, None], clips.present[:, None])
        return FeatureSequence(hidden, mask)


def positions_of(network: nn.Module) -> int | None:
    """How many tokens a text network of transformers has positions for; None: it has no limit.

    RoBERTa and its kin (MPNet, Longformer, ...) count positions from the one after the padding's, and so have fewer
    than their config says.
    """
    for name, part in network.named_modules():
        skipped = getattr(part, "padding_idx", None)
        if name.endswith("position_embeddings") and skipped is not None:
            return int(part.num_embeddings) - skipped - 1  # type: ignore[arg-type]
    most = getattr(network.config, "max_position_embeddings", None)
    return most if isinstance(most, int) and most > 0 else None  # XLNet says -1


def load_tokenizer(model: str, revision: str | None = None) -> Any:
    """The tokenizer of transformers. Raises AffuseError where it cannot be had, or knows no word.

    Where its files are missing transformers makes one of the special tokens alone, to which every word is unknown.
    """
    from transformers import AutoTokenizer

    try:
        found = load(AutoTokenizer, model, revision)
    except AffuseError:
        # the Hub has the model no more, say, which transformers asks it for; what was fetched stays good
        folder = find_files(model, revision)
        if folder is None or is_local(model) or not (folder / "tokenizer.json").is_file():
            raise
        found = load(AutoTokenizer, str(folder))
    if len(found) <= len(found.all_special_tokens):
        raise AffuseError(
            f"{model} has no tokenizer (tokenizer.json or its vocabulary), which makes numbers of words; copy the one "
            "of the model that it was trained from."
        )
    return found
