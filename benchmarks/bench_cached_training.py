"""Training a 3M-SER head: cached features in batches, against the authors' way (encoders in every step, batch of one).

The authors' way runs frozen BERT and frozen VGGish, in training mode, with VGGish's full backward pass (which is zero
through the rounding) and Adam over its 72 million parameters, for each clip of each epoch. Both encoders have random
weights here: their arithmetic is the same.
"""

from __future__ import annotations

import time

import torch
from transformers import BertConfig, BertModel

from affuse.encoders.vggish.network import VGGish
from affuse.encoders.vggish.postprocess import Whitening, quantise
from affuse.losses import CrossEntropyLoss
from affuse.models.building import build
from affuse.sequence import pad

CLIPS = 256
TOKENS, PATCHES = 17, 5  # of a mean IEMOCAP utterance: 13.2 words, 4.8 patches
LABELS = torch.randint(0, 4, (CLIPS,), generator=torch.Generator().manual_seed(0))


def measure_authors(steps: int) -> float:
    """Utterances per second with everything in the step."""
    bert = BertModel(BertConfig()).train().requires_grad_(False)
    vggish = VGGish().train()
    whitening = Whitening()
    for tensor in whitening.state_dict().values():
        torch.nn.init.normal_(tensor)
    model = build("3m-ser").train()
    loss = CrossEntropyLoss(4, 128)
    optimizer = torch.optim.Adam([*model.parameters(), *vggish.parameters()], lr=1e-4)
    tokens = torch.randint(1000, 2000, (1, TOKENS))
    patches = torch.randn(PATCHES, 96, 64)

    def step(i: int) -> None:
        optimizer.zero_grad()
        text = bert(input_ids=tokens, output_hidden_states=True).last_hidden_state[0]
        audio = quantise(whitening(vggish(patches)))
        output = model({"text": pad([text]), "audio": pad([audio])})
        loss(output.logits["emotion"], output.embedding, LABELS[i : i + 1]).backward()
        for (
            parameter
        ) in vggish.parameters():  # what autograd leaves out, the authors' optimiser still walks over
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        optimizer.step()

    step(0)
    began = time.perf_counter()
    for i in range(1, steps + 1):
        step(i)
    return steps / (time.perf_counter() - began)


def measure_cached(batch: int) -> float:
    """Utterances per second of a head on features that are there already."""
    model = build("3m-ser").train()
    loss = CrossEntropyLoss(4, 128)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    text = [torch.randn(TOKENS, 768) for _ in range(CLIPS)]
    audio = [torch.randint(0, 256, (PATCHES, 128)).float() for _ in range(CLIPS)]

    def epoch() -> None:
        for at in range(0, CLIPS, batch):
            part = slice(at, at + batch)
            optimizer.zero_grad()
            output = model({"text": pad(text[part]), "audio": pad(audio[part])})
            loss(output.logits["emotion"], output.embedding, LABELS[part]).backward()
            optimizer.step()

    epoch()
    began = time.perf_counter()
    for _ in range(3):
        epoch()
    return 3 * CLIPS / (time.perf_counter() - began)


def main() -> None:
    torch.set_num_threads(2)
    torch.manual_seed(0)
    authors = measure_authors(steps=6)
    print(f"encoders in every step, batch 1 (baseline): {authors:8.2f} utterances/s")
    for batch in (1, 32, 64):
        cached = measure_cached(batch)
        print(
            f"cached features, batch {batch:2d}:{cached:31.1f} utterances/s, {cached / authors:6.0f} x the baseline"
        )


if __name__ == "__main__":
    main()
