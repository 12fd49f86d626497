"""`vision`: any transformers image encoder (ViT, DINOv2, CLIP's vision tower, ConvNeXt) on faces.

Shape letters: b clips, t frames of a clip, n frames of all clips together, p steps of a frame (patches), d features.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from typing_extensions import override

from affuse.encoders.face_clips import FaceEncoder, PictureOptions, per_frame
from affuse.encoders.hidden_states import Layer, hidden_states
from affuse.encoders.image_steps import ImageSteps, sides
from affuse.encoders.layer_mix import LayerMix
from affuse.encoders.pretrained import architecture_only, check_processor, load, locate
from affuse.encoders.sources import files_key
from affuse.errors import AffuseError, argument
from affuse.files import digest
from affuse.sequence import FeatureSequence

_AT_ONCE = 32  # frames that go through the network together where no gradient is kept
_HOLDS = "config.json, preprocessor_config.json and weights (model.safetensors)"
_OFFLINE = f"To train without the Hub, take {argument('set', 'modalities.video.encoder=hog')}."


class VisionOptions(PictureOptions):
    """Options of ``vision``; few frames a second by default, since these networks are large."""

    model: str = Field(description="Hub id, folder, or package:NAME/FOLDER")
    revision: str | None = Field(default=None, description="commit or tag of the Hub model")
    frames_per_second: float = Field(default=5.0, gt=0)
    seconds: float | None = Field(default=None, gt=0)
    output: Literal["mean", "cls", "pooled"] = Field(
        default="mean",
        description="of a frame: the mean over its patches, its [CLS] token, or the model's pooled output",
    )
    layer: Layer = Field(
        default=-1,
        description="hidden state to take (-1: the last, 0: the input of the first layer), or a learnt mix",
    )

    @model_validator(mode="after")
    def _pooled_is_last(self) -> Self:
        if self.output == "pooled" and self.layer != -1:
            raise ValueError("output 'pooled' is of the last layer; set layer: -1, or output: mean or cls")
        return self


class VisionEncoder(FaceEncoder[VisionOptions]):
    """Any transformers image encoder: faces in, one feature vector a frame out.

    Faces are cut at the size that the model's image processor resizes to; its crop, scale and normalisation follow.
    Of CLIP and SigLIP the vision tower is taken. Only real frames go through the network.

    Args:
        options: ``VisionOptions``.

    Raises:
        AffuseError: The model cannot be had, is no image encoder, has its weights in a pickle only, lacks its image
            processor, or has no such output or layer.

    Examples:
        >>> encoder = VisionEncoder(VisionOptions(model="facebook/dinov2-small"))  # doctest: +SKIP
        >>> encoder(pad([torch.zeros(5, 256, 256, 3)])).values.shape  # doctest: +SKIP
        torch.Size([1, 5, 384])
    """

    Options = VisionOptions

    def __init__(self, options: VisionOptions) -> None:
        super().__init__(options)
        self.steps = ImageSteps(self.processor, options.model)
        config = _config(options)
        layers = _layers(config)
        if options.layer != -1 and layers is None:
            raise AffuseError(
                f"The layers of {options.model} have different widths, so layer: {options.layer} cannot be taken; "
                "leave layer out."
            )
        if isinstance(options.layer, int) and not -1 <= options.layer <= (layers or 0):
            raise AffuseError(f"{options.model} has layers 0 to {layers}; layer {options.layer} is not one.")
        self.network = _network(options, config)
        self.width = self.width_of(options)
        self.shape = (self.width,) if options.layer != "mix" else ((layers or 0) + 1, self.width)
        patch = getattr(config, "patch_size", None)
        patch = patch[0] if isinstance(patch, (list, tuple)) else patch
        self.patches = None if not patch else (self.steps.crop // int(patch)) ** 2
        self._try_out()

    @cached_property
    def processor(self) -> Any:
        """The image processor of transformers."""
        return _processor(self.options)

    @classmethod
    @override
    def width_of(cls, options: VisionOptions) -> int:
        config = _config(options)
        width = getattr(config, "hidden_size", None) or getattr(config, "hidden_dim", None)
        if width is None and getattr(config, "hidden_sizes", None):
            width = config.hidden_sizes[-1]
        if width is None:
            raise AffuseError(f"The config of {options.model} does not say how wide its features are.")
        return int(width)

    @classmethod
    @override
    def size_of(cls, options: VisionOptions) -> int:
        return sides(_processor(options), options.model)[0]

    @classmethod
    @override
    def adapter_of(cls, options: VisionOptions) -> nn.Module | None:
        layers = _layers(_config(options))
        return LayerMix(layers + 1) if options.layer == "mix" and layers is not None else None

    @override
    def write_source(self, folder: Path, weights: bool) -> dict[str, str | None]:
        """Config and image processor; with ``weights``, the network as it is now."""
        written = super().write_source(folder, weights)
        (self.network if weights else self.network.config).save_pretrained(folder)  # type: ignore[union-attr,operator]
        self.processor.save_pretrained(folder)
        return {**written, "model": ".", "revision": None}

    @property
    @override
    def features_key(self) -> str:
        """With what the image processor of this machine does to pixels."""
        about = files_key(self.options.model)
        return digest(super().features_key, *about) if about else super().features_key

    @override
    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, frames, rows, columns, 3) of 0 to 255 -> (batch, frames, width); a mix: (..., layers, width)."""
        return per_frame(clips, self.features, self.shape, at_once=_AT_ONCE)

    def features(self, faces_nhwc: Tensor) -> Tensor:
        """(frames, rows, columns, 3) -> (frames, width), or (frames, layers, width)."""
        layer = self.options.layer
        more = {} if layer == -1 else {"output_hidden_states": True}
        output = self.network(pixel_values=self.steps(faces_nhwc), **more)
        if self.options.output == "pooled":
            return output.pooler_output.flatten(1).float()
        hidden = hidden_states(output, layer)
        if hidden.dim() == 4 and layer != "mix":  # a map of a convolutional network
            hidden = hidden.flatten(2).transpose(1, 2)
        if self.options.output == "cls":
            return hidden[:, 0].float()
        return hidden[:, self._before(hidden) :].float().mean(dim=1)

    def _before(self, hidden: Tensor) -> int:
        """Tokens before the patches: [CLS], registers; none where the steps are fewer than the patches (Swin)."""
        return 0 if self.patches is None else max(0, hidden.shape[1] - self.patches)

    def _try_out(self) -> None:
        """Check on one picture that there is such an output, of that width."""
        name, output = self.options.model, self.options.output
        face = torch.zeros(1, self.steps.side, self.steps.side, 3, dtype=torch.uint8)
        with torch.no_grad():
            try:
                answer = self.network(pixel_values=self.steps(face))
                pooled, hidden = getattr(answer, "pooler_output", None), answer.last_hidden_state
            except (ValueError, RuntimeError, TypeError, AttributeError) as error:
                reason = " ".join(str(error).split())[:150]
                raise AffuseError(
                    f"{name} gives no features of a picture as its image processor makes it ({reason}); correct its "
                    "preprocessor_config.json, or choose another model."
                ) from None
            if output == "pooled" and pooled is None:
                raise AffuseError(f"{name} has no pooled output; set the encoder's option output: mean.")
            if output == "cls" and (hidden.dim() != 3 or not self._before(hidden)):
                raise AffuseError(f"{name} has no [CLS] token; set the encoder's option output: mean.")
            found = tuple(self.features(face).shape[1:])
        if found != self.shape:
            raise AffuseError(
                f"{name} gives features of the shape {found} where its config says {self.shape}, so it cannot be read "
                "as an image encoder; choose another model."
            )


def _network(options: VisionOptions, config: Any) -> nn.Module:
    """The image network, in float32 and evaluation mode; of a pickle nothing is read.

    A pooling layer that is not asked for is left out: classifiers come without one, and a random one would be made.
    """
    kind = _kind(config)
    if architecture_only():
        network = kind._from_config(config, dtype=torch.float32)
    else:
        folder = Path(locate(options.model))
        if folder.is_dir() and not any(folder.glob("*.safetensors")):
            pickles = any(folder.glob("*.bin")) or any(folder.glob("*.pt*"))
            raise AffuseError(
                f"{folder} holds its weights as a pickle only, which can run code; write them as safetensors with "
                "transformers' save_pretrained, where you trust them."
                if pickles
                else f"{folder} holds no weights; add model.safetensors."
            )
        network, about = load(
            kind, options.model, options.revision, holds=_HOLDS, offline=_OFFLINE, dtype=torch.float32,
            use_safetensors=True, output_loading_info=True,
        )  # fmt: skip
        # a mask token is used in pre-training alone
        missing = sorted(key for key in about["missing_keys"] if "mask_token" not in key)
        pooling = [
            key for key in missing if "pooler" in key or key.startswith(("head.", "vision_model.head."))
        ]
        if pooling and options.output == "pooled":
            raise AffuseError(
                f"{options.model} has no trained pooling layer ({pooling[0]} is missing); set the encoder's option "
                "output: cls or mean."
            )
        if others := [key for key in missing if key not in pooling]:
            raise AffuseError(
                f"{options.model} lacks {len(others)} of its network's weights, {others[0]} first; fetch or save it "
                "again."
            )
    pooler = getattr(network, "pooler", None)
    if options.output != "pooled" and pooler is not None and next(pooler.parameters(), None) is not None:
        network.pooler = nn.Identity()
    return network.eval()


def _config(options: VisionOptions) -> Any:
    """Of the image network: of a model of pictures and text, that of its vision tower."""
    from transformers import AutoConfig

    config = load(AutoConfig, options.model, options.revision, holds=_HOLDS, offline=_OFFLINE)
    config = getattr(config, "vision_config", config)
    kind = _kind(config)
    if getattr(kind, "main_input_name", "") != "pixel_values" or hasattr(config, "num_frames"):
        raise AffuseError(
            f"{options.model} is no image encoder (its type is {config.model_type}); vision reads ViT, DINOv2, CLIP, "
            "ConvNeXt and their kind, bert reads text, and speech reads sound."
        )
    return config


def _kind(config: Any) -> Any:
    """The class of transformers that a config is of; None where there is no such network."""
    from transformers import MODEL_MAPPING

    return MODEL_MAPPING.get(type(config), None)


def _processor(options: VisionOptions) -> Any:
    from transformers import AutoImageProcessor

    _config(options)  # a model of another kind is told by its type, and not by what it lacks
    check_processor(options.model, "image processor", "how pictures are scaled")
    return load(
        AutoImageProcessor, options.model, options.revision, holds=_HOLDS, offline=_OFFLINE, backend="pil"
    )


def _layers(config: Any) -> int | None:
    """How many layers of one width; None where the widths differ."""
    if getattr(config, "depths", None) is not None or getattr(config, "hidden_sizes", None) is not None:
        return None
    return getattr(config, "num_hidden_layers", None)
