"""Draw docs/figures/architecture.svg: how data flows through affuse's folders.

Run from the repository root: python docs/figures/architecture.py
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

WIDTH, HEIGHT = 1000, 600


class Box(NamedTuple):
    """A folder of src/affuse ("part"), something on disk ("data"), or a frame around others ("frame")."""

    kind: str
    x: int
    y: int
    width: int
    height: int
    title: str
    note: str = ""


BOXES = {
    "cli": Box("part", 20, 30, 130, 64, "cli/", "the command line"),
    "api": Box("part", 20, 140, 130, 64, "api/", "from Python"),
    "results": Box("part", 20, 250, 130, 64, "results/", "what comes back"),
    "files": Box("data", 200, 30, 170, 64, "your recordings", "a table or a release"),
    "corpora": Box("part", 420, 30, 130, 64, "corpora/", "read, check, split"),
    "corpus": Box("data", 600, 30, 170, 64, "corpus folder", "utterances and labels"),
    "recipe": Box("part", 820, 30, 150, 64, "recipe/", "an experiment as data"),
    "network": Box(
        "frame",
        200,
        140,
        770,
        124,
        "models/",
        "the network, as the recipe says; of layers/, for one or a stack of them",
    ),
    "media": Box("part", 216, 178, 106, 64, "media/", "sound, frames"),
    "encoders": Box("part", 346, 178, 106, 64, "encoders/", "to features"),
    "fusion": Box("part", 476, 178, 106, 64, "fusion/", "one embedding"),
    "heads": Box("plain", 606, 178, 86, 64, "heads", "one per task"),
    "losses": Box("part", 716, 178, 106, 64, "losses/", "one per task"),
    "weighting": Box("part", 846, 178, 106, 64, "weighting/", "to one loss"),
    "training": Box("part", 200, 320, 150, 64, "training/", "in stacks, or alone"),
    "reproduction": Box("part", 200, 430, 150, 64, "reproduction/", "the papers' grids"),
    "run": Box("data", 420, 320, 170, 64, "run folder", "split, predictions, model"),
    "evaluation": Box("part", 660, 320, 130, 64, "evaluation/", "metrics, tests"),
    "reports": Box("part", 840, 320, 130, 64, "reports/", "tables, pages"),
    "page": Box("data", 840, 430, 130, 64, "report.html", "results.csv"),
    "model": Box("data", 420, 430, 170, 64, "model folder", "on disk or on the Hub"),
    "inference": Box("part", 660, 430, 130, 64, "inference/", "clip to timeline"),
    "timeline": Box("data", 660, 520, 130, 56, "timeline", "JSON, SRT, picture"),
    "serving": Box("part", 840, 520, 130, 56, "serving/", "page and REST"),
    "onnx": Box("part", 420, 520, 170, 56, "onnx/", "a model as one ONNX file"),
}
ARROWS = [
    ("cli", "api"), ("api", "results"), ("files", "corpora"), ("corpora", "corpus"), ("corpus", "network"),
    ("recipe", "network"), ("media", "encoders"), ("encoders", "fusion"), ("fusion", "heads"), ("heads", "losses"),
    ("losses", "weighting"), ("network", "training"), ("reproduction", "training"), ("training", "run"),
    ("run", "evaluation"), ("evaluation", "reports"), ("reports", "page"), ("run", "model"), ("model", "inference"),
    ("inference", "timeline"), ("timeline", "serving"), ("model", "onnx"),
]  # fmt: skip


def ends(a: Box, b: Box) -> tuple[float, float, float, float]:
    """From the edge of ``a`` to the edge of ``b``: down, up or right, whichever way ``b`` lies."""
    low, high = max(a.x, b.x), min(a.x + a.width, b.x + b.width)
    if low < high:  # one above the other: a vertical line in the columns that they share
        middle = (low + high) / 2
        return (middle, a.y + a.height, middle, b.y) if a.y < b.y else (middle, a.y, middle, b.y + b.height)
    height = (max(a.y, b.y) + min(a.y + a.height, b.y + b.height)) / 2
    return a.x + a.width, height, b.x, height


def draw() -> str:
    shapes = []
    frame = BOXES["network"]
    shapes.append(
        f'<rect class="frame" x="{frame.x}" y="{frame.y}" width="{frame.width}" height="{frame.height}" rx="4"/>'
    )
    shapes.append(
        f'<text class="left" x="{frame.x + 16}" y="{frame.y + 24}"><tspan class="name">{frame.title}</tspan> '
        f"{frame.note}</text>"
    )
    for first, second in ARROWS:
        x1, y1, x2, y2 = ends(BOXES[first], BOXES[second])
        shapes.append(f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" marker-end="url(#tip)"/>')
    for box in BOXES.values():
        if box.kind == "frame":
            continue
        radius, middle = 18 if box.kind == "data" else 4, box.x + box.width / 2
        shapes.append(
            f'<rect class="{box.kind}" x="{box.x}" y="{box.y}" width="{box.width}" '
            f'height="{box.height}" rx="{radius}"/>'
        )
        name = "name" if box.kind == "part" else "thing"
        shapes.append(
            f'<text class="{name}" x="{middle:g}" y="{box.y + box.height / 2 - 4:g}">{box.title}</text>'
        )
        shapes.append(f'<text x="{middle:g}" y="{box.y + box.height / 2 + 15:g}">{box.note}</text>')
    body = "\n".join(shapes)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"
  aria-label="How data flows through affuse">
<style>
  text {{ font: 12px system-ui, sans-serif; text-anchor: middle; fill: #333 }}
  .left {{ text-anchor: start }}
  .name {{ font: 600 14px ui-monospace, monospace }}
  .thing {{ font-weight: 600; font-size: 14px }}
  rect {{ stroke: #2b5c8a; stroke-width: 1.5; fill: #e8f0f8 }}
  .data {{ fill: #fdf3e1; stroke: #b9770e }}
  .plain {{ fill: #fff }}
  .frame {{ fill: #f6f8fa; stroke-dasharray: 5 4 }}
  line {{ stroke: #555; stroke-width: 1.5 }}
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>
<rect width="{WIDTH}" height="{HEIGHT}" rx="0" style="fill: #fff; stroke: none"/>
{body}
</svg>
"""


if __name__ == "__main__":
    (Path(__file__).parent / "architecture.svg").write_text(draw(), encoding="utf-8")
