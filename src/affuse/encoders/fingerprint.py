"""Public weights known again by their values in 16 bits, in whatever precision a copy of them is kept.

A release may hold its weights as float32 on the Hub and as float16 elsewhere. Rounded to float16 both are the same
numbers; a model that was trained on one copy then gives the same answers with the other.
"""

from __future__ import annotations

import hashlib

import torch
from torch import nn

from affuse.encoders.pretrained import architecture_only
from affuse.errors import AffuseError


def fingerprint(network: nn.Module) -> str:
    """SHA-256 of every tensor rounded to float16, with its name and shape, in the order of the names.

    Examples:
        >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
        <torch._C.Generator object at ...>
        >>> layer = nn.Linear(2, 2)
        >>> fingerprint(layer) == fingerprint(nn.Linear(2, 2).half().float())
        False
        >>> copy = nn.Linear(2, 2)
        >>> _ = copy.load_state_dict({name: tensor.half() for name, tensor in layer.state_dict().items()})
        >>> fingerprint(copy) == fingerprint(layer)
        True
    """
    found = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        halves = tensor.detach().cpu().to(torch.float16).contiguous()
        found.update(f"{name} {tuple(halves.shape)} ".encode())
        found.update(halves.flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def hold_to(network: nn.Module, expected: str, model: str) -> None:
    """Check a network's weights, and round them to float16 (kept as they are: float32), in place.

    Args:
        network: Just loaded. Where only architectures are made (``pretrained.weights_follow``) nothing is checked.
        expected: Its ``fingerprint``.
        model: Its name, for the message.

    Raises:
        AffuseError: They are other weights.
    """
    if architecture_only():
        return
    if (found := fingerprint(network)) != expected:
        raise AffuseError(
            f"The weights of {model} are not those that the model was trained with: their fingerprint is {found[:12]}, "
            f"and {expected[:12]} is expected. Name the revision that was used, or train the model again."
        )
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(tensor.to(torch.float16))
