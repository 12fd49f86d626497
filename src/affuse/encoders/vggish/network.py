"""The VGGish network as its public PyTorch port holds it (keys ``features.*``, ``embeddings.*``).

The port ends in a ReLU which Google's own VGGish does not have; the public weights and the first paper's code
are the port's, so it is kept.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTH = 128
_CHANNELS = (64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool")


class VGGish(nn.Module):
    """VGGish: log-mel patches of 0.96 s to 128 numbers each (Hershey et al. 2017).

    72,141,184 parameters. Its state dict is that of ``vggish-10086976.pth``. A call takes (patches, 96, 64) log-mels
    and gives (patches, 128), each at least 0.

    Examples:
        >>> with torch.device("meta"):  # no memory, no arithmetic: shapes alone
        ...     network = VGGish()
        >>> network(torch.zeros(3, 96, 64, device="meta")).shape
        torch.Size([3, 128])
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 1
        for step in _CHANNELS:
            if isinstance(step, str):
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(width, step, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
                width = step
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(512 * 6 * 4, 4096),  # 96 frames and 64 bands, halved four times
            nn.ReLU(inplace=True),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, WIDTH),
            nn.ReLU(inplace=True),
        )

    def forward(self, patches: Tensor) -> Tensor:
        """(patches, 96, 64) log-mels -> (patches, 128), each >= 0."""
        maps_pctm = self.features(patches.unsqueeze(1))
        # TensorFlow, where the weights come from, flattens with the channels last
        return self.embeddings(maps_pctm.permute(0, 2, 3, 1).flatten(1))


def random_state(seed: int) -> dict[str, Tensor]:
    """A state dict of PyTorch's default initial values, the same for a seed; the global generator is kept."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return VGGish().state_dict()
