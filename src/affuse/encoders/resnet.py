"""ResNets by name through transformers, from scratch or from anybody's weights, torchvision's naming included."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from affuse.encoders.pretrained import architecture_only, load_network, locate
from affuse.encoders.sources import FILES
from affuse.errors import AffuseError

Name = Literal["resnet10", "resnet18", "resnet26", "resnet34", "resnet50", "resnet101", "resnet152"]


class Shape(NamedTuple):
    """block: transformers' layer_type; blocks per stage."""

    block: Literal["basic", "bottleneck"]
    blocks: tuple[int, int, int, int]


# He et al., "Deep residual learning for image recognition" (2016), table 1; 10 and 26 are its smallest two by the
# same rule (2 + 2 x 4 and 2 + 3 x 8 layers).
SHAPES: dict[str, Shape] = {
    "resnet10": Shape("basic", (1, 1, 1, 1)),
    "resnet18": Shape("basic", (2, 2, 2, 2)),
    "resnet26": Shape("bottleneck", (2, 2, 2, 2)),
    "resnet34": Shape("basic", (3, 4, 6, 3)),
    "resnet50": Shape("bottleneck", (3, 4, 6, 3)),
    "resnet101": Shape("bottleneck", (3, 4, 23, 3)),
    "resnet152": Shape("bottleneck", (3, 8, 36, 3)),
}
assert set(SHAPES) == set(get_args(Name))


def widths(name: str, base: int = 64, stages: int = 4) -> list[int]:
    """Channels that leave each stage: 64, 128, 256, 512, four times that of bottleneck blocks."""
    times = 4 if SHAPES[name].block == "bottleneck" else 1
    return [base * 2**stage * times for stage in range(stages)]


def make_network(name: str, base: int = 64, stages: int = 4) -> nn.Module:
    """ResNetModel of transformers with random weights (Kaiming normal, fan out); ResNet-50 has 23,508,032."""
    from transformers import ResNetConfig, ResNetModel

    config = ResNetConfig(
        embedding_size=base,
        hidden_sizes=widths(name, base, stages),
        depths=list(SHAPES[name].blocks[:stages]),
        layer_type=SHAPES[name].block,
    )
    return ResNetModel(config)


def pool_before_relu(network: Any) -> None:
    """Change a ResNetModel so that its first ReLU follows the max pooling: a quarter of the work, the same digits.

    Neither changes an order, so the largest is the same one; where nothing is above 0, no gradient passes either way.
    Names of parameters stay.
    """
    stem = network.embedder
    if isinstance(stem.pooler, nn.MaxPool2d) and isinstance(stem.embedder.activation, nn.ReLU):
        stem.pooler = nn.Sequential(stem.pooler, stem.embedder.activation)
        stem.embedder.activation = nn.Identity()


def load_weights(
    weights: str, name: str, base: int = 64, stages: int = 4, revision: str | None = None
) -> nn.Module:
    """The named network with weights of its own; a classifier on top is left out.

    Args:
        weights: A torchvision state dict (.pth, .pt, .safetensors), a folder, or the Hub's id.
        name: Of the ResNet.
        base: Channels of the first stage.
        stages: From the first.
        revision: Commit or tag on the Hub.

    Raises:
        AffuseError: They cannot be read, hold code instead of tensors, or are another network's.
    """
    if Path(weights).suffix in FILES:
        network = make_network(name, base, stages)
        if architecture_only():
            return network
        _fill(network, from_torchvision(_read(Path(weights).expanduser())), weights, name)
        return network
    from transformers import ResNetModel

    network = load_network(ResNetModel, weights, revision)
    config: Any = network.config
    shape = (SHAPES[name].block, list(SHAPES[name].blocks[:stages]), widths(name, base, stages))
    found = (config.layer_type, list(config.depths), list(config.hidden_sizes))
    if found != shape:
        known = [n for n, s in SHAPES.items() if (s.block, list(s.blocks)) == found[:2]]
        cure = f"set network: {known[0]}" if known else "choose other weights"
        raise AffuseError(
            f"{locate(weights)} holds a ResNet of {found[0]} blocks {found[1]} and widths {found[2]}, but the "
            f"recipe asks for {name}, {shape[0]} blocks {shape[1]} and widths {shape[2]}; {cure}."
        )
    return network


def from_torchvision(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Key of torchvision of every tensor -> key of transformers; the classifier ``fc`` is dropped.

    conv1, bn1                  -> embedder.embedder.{convolution, normalization}
    layer1.0.conv2, .bn2        -> encoder.stages.0.layers.0.layer.1.{convolution, normalization}
    layer1.0.downsample.0, .1   -> encoder.stages.0.layers.0.shortcut.{convolution, normalization}
    A key that is none of these stays as it is.
    """
    renamed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        if not key.startswith("fc."):
            renamed[_rename(key)] = tensor
    return renamed


def _rename(key: str) -> str:
    if match := re.fullmatch(r"(conv|bn)1\.(\w+)", key):
        return f"embedder.embedder.{_PART[match[1]]}.{match[2]}"
    if match := re.fullmatch(r"layer([1-4])\.(\d+)\.(conv|bn)([1-3])\.(\w+)", key):
        stage, block, part, place, leaf = match.groups()
        return f"encoder.stages.{int(stage) - 1}.layers.{block}.layer.{int(place) - 1}.{_PART[part]}.{leaf}"
    if match := re.fullmatch(r"layer([1-4])\.(\d+)\.downsample\.([01])\.(\w+)", key):
        stage, block, place, leaf = match.groups()
        part = "convolution" if place == "0" else "normalization"
        return f"encoder.stages.{int(stage) - 1}.layers.{block}.shortcut.{part}.{leaf}"
    return key


_PART = {"conv": "convolution", "bn": "normalization"}


def _read(path: Path) -> dict[str, Tensor]:
    """A state dict, unwrapped from {'state_dict': ...} and from the prefix of DataParallel."""
    if not path.is_file():
        raise AffuseError(f"There is no weight file {path}; correct the encoder's option 'weights'.")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)  # never runs what a pickle says
    except Exception as error:  # damaged archives and foreign files fail in many ways
        reason = " ".join(str(error).split())[:120]
        raise AffuseError(
            f"{path} is not a state dict that can be read safely ({reason}); save plain tensors, best as .safetensors."
        ) from None
    if isinstance(state, Mapping):
        state = state.get("state_dict", state)
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise AffuseError(f"{path} does not hold a state dict (names with tensors); name a file of weights.")
    return {key.removeprefix("module."): value for key, value in state.items()}


def _fill(network: nn.Module, state: dict[str, Tensor], source: str, name: str) -> None:
    own = network.state_dict()
    for key in own:
        if key.endswith("num_batches_tracked"):  # old files lack it; only momentum=None would read it
            state.setdefault(key, own[key])
    missing, foreign = [k for k in own if k not in state], [k for k in state if k not in own]
    wrong = [k for k in own if k in state and own[k].shape != state[k].shape]
    for keys, what in ((missing, "lacks"), (foreign, "has the unknown"), (wrong, "has another shape of")):
        if keys:
            raise AffuseError(
                f"{source} is no {name} in torchvision's naming: it {what} {keys[0]}"
                f"{f' and {len(keys) - 1} more' if len(keys) > 1 else ''}; set network to the weights' own depth."
            )
    network.load_state_dict(state)
