"""What AudioSet does to VGGish's embeddings: PCA with whitening, then 8 bits per number."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from affuse.encoders.vggish.network import WIDTH

LIMIT = 2.0  # whitened values are clamped to [-2, 2] before they are quantised
LEVELS = 255


class Whitening(nn.Module):
    """AudioSet's PCA with whitening, (..., 128) -> (..., 128): ``pca_eigen_vectors @ (x - pca_means)``.

    The buffers have the names of the public PCA file.
    """

    pca_eigen_vectors: Tensor
    pca_means: Tensor

    def __init__(self) -> None:
        super().__init__()
        # buffers: constants of AudioSet, not weights that a recipe trains
        self.register_buffer("pca_eigen_vectors", torch.eye(WIDTH))
        self.register_buffer("pca_means", torch.zeros(WIDTH))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Whitened embeddings of the same shape."""
        return (embeddings - self.pca_means) @ self.pca_eigen_vectors.T


def quantise(values: Tensor) -> Tensor:
    """Clamp to [-2, 2], round to the codes 0, 1, ..., 255 (still floats). The gradient is zero everywhere."""
    return torch.round((values.clamp(-LIMIT, LIMIT) + LIMIT) * (LEVELS / (2 * LIMIT)))


def random_whitening(seed: int) -> dict[str, Tensor]:
    """A random rotation and means of 0, in the public file's shapes, for trials without the file."""
    generator = torch.Generator().manual_seed(seed)
    rotation, _ = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=generator))
    return {"pca_eigen_vectors": rotation, "pca_means": torch.zeros(WIDTH, 1)}
