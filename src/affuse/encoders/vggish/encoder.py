"""``vggish``: 128 numbers per 0.96 s of audio, as raw embeddings, whitened, or AudioSet's 8-bit codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor, nn
from typing_extensions import override

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder, EncoderOptions, Reading
from affuse.encoders.pretrained import architecture_only
from affuse.encoders.sound_frames import SAMPLE, LogMelFrames, frame_mask
from affuse.encoders.vggish.frontend import BANDS, PATCH_FRAMES, to_patches
from affuse.encoders.vggish.network import WIDTH, VGGish, random_state
from affuse.encoders.vggish.postprocess import Whitening, quantise, random_whitening
from affuse.encoders.vggish.weights import NETWORK_URL, PCA_URL, load_state
from affuse.errors import AffuseError
from affuse.files import digest
from affuse.media.mel import RATE
from affuse.sequence import FeatureSequence

# Bounds the memory of the feature maps (1.6 MB a patch after the first layer) whatever the clip's length.
_PATCHES_AT_ONCE = 32


class VGGishOptions(EncoderOptions):
    """Defaults are the first paper's code: public weights, whitened, quantised."""

    weights: str | None = Field(
        default="download",
        description="the network: a path, a URL whose file name has its hash, 'download', or null: random",
    )
    pca_weights: str | None = Field(
        default="download", description="the PCA parameters, likewise; unused without pca"
    )
    pca: bool = Field(default=True, description="whiten by AudioSet's PCA")
    quantise: bool = Field(
        default=True, description="clamp to [-2, 2] and round to the codes 0..255; no gradient"
    )
    seed: int = Field(default=0, description="of random weights")


class VGGishEncoder(Encoder[VGGishOptions]):
    """VGGish: audio -> (batch, patches, 128), one step per 0.96 s; a shorter clip is one step.

    With ``quantise`` (the paper's code) values are whole numbers 0..255, and no gradient reaches the network,
    for rounding's is zero. A batch equals its clips one by one to float rounding, which may move a code by 1
    where its value lies between two.

    Args:
        options: ``VGGishOptions``.

    Raises:
        AffuseError: Weights are missing, damaged or of another network.

    Examples:
        >>> encoder = VGGishEncoder(VGGishOptions(weights=None, pca_weights=None))  # random weights
        >>> clip = encoder.from_samples(np.zeros(2 * RATE, np.float32))
        >>> clip.shape, encoder.width_of(encoder.options)
        (torch.Size([2, 96, 64]), 128)
    """

    Options = VGGishOptions
    kind = "audio"

    def __init__(self, options: VGGishOptions) -> None:
        super().__init__(options)
        with torch.device("meta"):  # 72 M numbers that are not drawn only to be overwritten
            self.network = VGGish()
        self.whitening = Whitening() if options.pca else None
        if architecture_only():
            self.network.to_empty(device="cpu")
            return
        state = (
            random_state(options.seed)
            if options.weights is None
            else load_state(options.weights, NETWORK_URL, "weights")
        )
        _check_shapes(state, self.network.state_dict(), f"{options.weights}", "weights")
        self.network.load_state_dict({name: value.contiguous() for name, value in state.items()}, assign=True)
        self.network.requires_grad_(True)
        if self.whitening is not None:
            state = (
                random_whitening(options.seed)
                if options.pca_weights is None
                else load_state(options.pca_weights, PCA_URL, "pca_weights")
            )
            # the means are a column or a row, by who wrote the file
            state = {name: x.reshape(-1) if name == "pca_means" else x for name, x in state.items()}
            _check_shapes(state, self.whitening.state_dict(), f"{options.pca_weights}", "pca_weights")
            self.whitening.load_state_dict(state)

    @classmethod
    @override
    def width_of(cls, options: VGGishOptions) -> int:
        return WIDTH

    @classmethod
    @override
    def reading_of(cls, options: VGGishOptions) -> Reading:
        return Reading(torch.float32, (PATCH_FRAMES, BANDS), "0.96 s of VGGish's log-mels")

    @classmethod
    @override
    def exported_reading_of(cls, options: VGGishOptions) -> Reading:
        return Reading(torch.float32, (), SAMPLE)

    @override
    def exportable(self) -> nn.Module:
        return VGGishOfSound(self)

    def write_source(self, folder: Path, weights: bool) -> dict[str, str | None]:
        """Nothing but the weights, as safetensors."""
        if not weights:
            return {}
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.network.state_dict(), folder / "vggish.safetensors")
        if self.whitening is None:
            return {"weights": "vggish.safetensors"}
        save_file(self.whitening.state_dict(), folder / "pca.safetensors")
        return {"weights": "vggish.safetensors", "pca_weights": "pca.safetensors"}

    def read(self, utterance: Utterance) -> Tensor | None:
        """(patches, 96, 64) float32 log-mels, or None without audio. Raises ClipError (``read_waveform``)."""
        if utterance.audio is None:
            return None
        waveform = utterance.waveform(RATE)
        return self.from_samples(waveform)

    def from_samples(self, waveform: np.ndarray) -> Tensor:
        """(samples,) float32 at 16 kHz -> what ``read`` gives."""
        return torch.from_numpy(to_patches(waveform))

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, patches, 96, 64) -> (batch, patches, 128), same mask; only real patches are computed."""
        if torch.compiler.is_exporting():  # sizes must not depend on the mask: padding is computed too
            found = self._embed(clips.values.flatten(0, 1)).unflatten(0, clips.mask.shape)
            return FeatureSequence(found * clips.mask[..., None], clips.mask)
        patches = clips.values[clips.mask]
        embeddings = [self._embed(block) for block in patches.split(_PATCHES_AT_ONCE)]
        values_bpd = clips.values.new_zeros((*clips.mask.shape, WIDTH))
        if len(patches):
            found = torch.cat(embeddings)
            values_bpd = values_bpd.to(found.dtype).masked_scatter(clips.mask.unsqueeze(-1), found)
        return FeatureSequence(values_bpd, clips.mask)

    def _embed(self, patches: Tensor) -> Tensor:
        embeddings = self.network(patches)
        if self.whitening is not None:
            embeddings = self.whitening(embeddings)
        return quantise(embeddings) if self.options.quantise else embeddings

    def check_trainable(self) -> None:
        """Raises AffuseError if training this encoder could change nothing, as in the first paper's code."""
        if self.options.quantise:
            raise AffuseError(
                "The vggish encoder cannot be trained while its outputs are rounded to 8 bits, for rounding "
                "passes no gradient; set quantise: false or freeze the encoder."
            )

    @property
    def reading_key(self) -> str:
        """The front end has no options: recipes that differ in weights or quantisation share the reading."""
        return digest("vggish patches", str((RATE, BANDS, PATCH_FRAMES)))

    @property
    @override
    def features_key(self) -> str:
        return digest(super().features_key, str((self.options.pca, self.options.quantise)))


class VGGishOfSound(nn.Module):
    """The encoder from samples on, for an ONNX file: (batch, samples) -> (batch, patches, 128), as ``to_patches``."""

    def __init__(self, encoder: VGGishEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        # silence enough for one patch, and for what is left over of the last
        self.mel = LogMelFrames(BANDS, 125.0, 7500.0, more=PATCH_FRAMES)

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """What ``VGGishEncoder`` gives for the same samples."""
        frames_btm = self.mel(clips.values)
        patches = frames_btm.shape[1] // PATCH_FRAMES
        patches_bptm = frames_btm[:, : patches * PATCH_FRAMES].unflatten(1, (-1, PATCH_FRAMES))
        count_b = frame_mask(clips.mask, frames_btm.shape[1]).sum(dim=1)
        count_b = torch.where(count_b > 0, (count_b // PATCH_FRAMES).clamp(min=1), 0)
        mask_bp = torch.arange(patches, device=count_b.device) < count_b[:, None]
        return self.encoder(FeatureSequence(patches_bptm, mask_bp))


def _check_shapes(state: dict[str, Tensor], wanted: dict[str, Tensor], source: str, field: str) -> None:
    for name in sorted(wanted.keys() | state.keys()):
        if name not in state or name not in wanted:
            fault = f"lacks {name}" if name in wanted else f"has {name}, which VGGish does not have"
        elif state[name].shape != wanted[name].shape:
            fault = f"has {name} of shape {tuple(state[name].shape)}, not {tuple(wanted[name].shape)}"
        else:
            continue
        raise AffuseError(f"{source} is not a VGGish state dict: it {fault}; set {field} to the public file.")
