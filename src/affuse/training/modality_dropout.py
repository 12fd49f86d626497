"""Modality dropout: training clips lose modalities at random, so that the network learns to do without them.

Neverova, Wolf, Taylor and Nebout 2016, "ModDrop: adaptive multi-modal gesture recognition", section 4.2: each
modality is dropped independently with a probability of its own. Here an utterance never loses its last one.

Shapes: b batch, m modalities, s subsets of the modalities.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import torch
from torch import Tensor

from affuse.files import digest
from affuse.sequence import FeatureSequence


class ModalityDropout:
    """Masks modalities of a training batch; what an utterance loses is a function of (seed, epoch, utterance).

    ``rates`` (0 to 1) are those of independent draws; a draw that would take everything an utterance has does not
    count. So of two present modalities with rates p and q the first is lost with probability p (1 - q) / (1 - p q),
    of a single one nothing, and a modality that is missing anyway is not drawn. The draws touch no other random
    state: with all rates 0 a run is the run without modality dropout, to the digit.

    Parameters
    ----------
    rates: modality -> rate. seed: the recipe's. count: utterances of the training part.
    """

    def __init__(self, rates: Mapping[str, float], seed: int, count: int) -> None:
        self.rates = dict(rates)
        self.seed = seed
        self.count = count

    def kept(self, present_nm: Tensor, epoch: int) -> Tensor:
        """Which modalities stay in an epoch, (n, m) bool of every utterance of the part, in the order of ``rates``.

        Args:
            present_nm: Which modalities there are.
            epoch: From 0.
        """
        rates = torch.tensor(list(self.rates.values()), dtype=torch.float64)
        if not bool((rates > 0).any()):
            return present_nm
        return choose(self._uniform(epoch), present_nm, rates)

    def _uniform(self, epoch: int) -> Tensor:
        random = np.random.default_rng(int(digest("modality dropout", str(self.seed), str(epoch))[:15], 16))
        return torch.from_numpy(random.random(self.count))

    def __call__(
        self, clips: Mapping[str, FeatureSequence], index: Tensor, epoch: int
    ) -> dict[str, FeatureSequence]:
        """The batch with modalities masked; ``index`` (batch,) are the utterances' places in the training part."""
        names = [name for name in self.rates if name in clips]
        rates = torch.tensor([self.rates[name] for name in names], dtype=torch.float64)
        if not bool((rates > 0).any()):
            return dict(clips)
        uniform_b = self._uniform(epoch)[index.cpu()]
        present_bm = torch.stack([clips[name].present for name in names], dim=1)
        kept_bm = choose(uniform_b, present_bm.cpu(), rates).to(present_bm.device)
        return dict(clips) | {name: clips[name].keep(kept_bm[:, i]) for i, name in enumerate(names)}


def choose(uniform_b: Tensor, present_bm: Tensor, rates_m: Tensor) -> Tensor:
    """(batch, modalities): which of the present modalities stay, one uniform number of [0, 1) per utterance.

    P(S) is proportional to prod_{m in S} (1 - p_m) prod_{m not in S} p_m over the subsets S of the present
    modalities that are not empty; the number picks S by the cumulative distribution. False for all where nothing
    is present.
    """
    subsets_sm = torch.tensor(list(product([False, True], repeat=len(rates_m))))
    factors_bsm = torch.where(
        present_bm[:, None], torch.where(subsets_sm, 1 - rates_m, rates_m), (~subsets_sm).to(rates_m)
    )
    weights_bs = factors_bsm.prod(dim=2)
    weights_bs[:, 0] = 0  # the empty subset
    cumulative_bs = weights_bs.cumsum(dim=1)
    picked_b = (cumulative_bs <= uniform_b[:, None] * cumulative_bs[:, -1:]).sum(dim=1)
    return subsets_sm[picked_b.clamp_max(len(subsets_sm) - 1)] & present_bm
