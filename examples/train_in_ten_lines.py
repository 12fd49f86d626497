"""Your own training: affuse's network, losses and weighting in ten lines of plain PyTorch.

The features here are random numbers that depend on two labels; yours come from wherever you like.

    python examples/train_in_ten_lines.py
"""

import torch

import affuse

torch.manual_seed(0)
labels = {"emotion": torch.randint(4, (256,)), "gender": torch.randint(2, (256,))}
features = torch.randn(256, 30, 20)  # clips, steps, width
features += torch.randn(4, 20)[labels["emotion"], None] + torch.randn(2, 20)[labels["gender"], None]
clips = {"voice": affuse.FeatureSequence(features, mask=torch.ones(256, 30, dtype=torch.bool))}

own = {"encoder": "precomputed", "options": {"name": "own", "width": 20}}
recipe = affuse.Recipe.load("server", {"modalities": {"voice": own}, "tasks": {"emotion": {}, "gender": {}}})
recipe = recipe.changed({"fusion.options": {"width": 32}, "modalities.voice.standardise": False})

model = affuse.build(recipe)

# the ten lines
cross_entropy, center = affuse.losses.CrossEntropyLoss(4, 32), affuse.losses.CenterLoss(num_classes=4, dim=32)
weighting = affuse.weighting.SoftmaxWeighting(["emotion", "gender"])
optimizer = torch.optim.Adam([*model.parameters(), *center.parameters(), *weighting.parameters()], lr=3e-3)
for _ in range(100):
    logits, embedding, *_ = model(clips)
    losses = {task: cross_entropy(logits[task], embedding, labels[task]) for task in labels}
    losses["emotion"] += 0.1 * center(logits["emotion"], embedding, labels["emotion"])
    optimizer.zero_grad()
    weighting(losses).backward()
    optimizer.step()

model.eval()
answers = model(clips).logits
for task in labels:
    right = (answers[task].argmax(dim=1) == labels[task]).float().mean()
    print(f"{task}: {100 * right:.1f} % right, weight {weighting.weights()[task]:.2f}")
