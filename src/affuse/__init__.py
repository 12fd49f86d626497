"""affuse: emotion and gender from voice, words and face.

Public names are loaded when they are first used, so that importing affuse (and ``affuse --help``) is quick.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from affuse.lazy import lazy

# Nothing is told of what affuse is used for: onnxruntime from 1.29 on and the Hub's library report their use to their
# makers unless told not to, before they are imported. Who has set one of these keeps that.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"

_PUBLIC = {
    "AffuseError": "affuse.errors:AffuseError",
    "Client": "affuse.serving.client.client:Client",
    "Corpus": "affuse.corpora.corpus:Corpus",
    "Evaluation": "affuse.results.evaluation:Evaluation",
    "FeatureSequence": "affuse.sequence:FeatureSequence",
    "Grid": "affuse.results.grid:Grid",
    "Model": "affuse.models.network:Model",
    "Recipe": "affuse.recipe:Recipe",
    "Reproduction": "affuse.results.reproduction:Reproduction",
    "Run": "affuse.results.run:Run",
    "Timeline": "affuse.inference.timeline:Timeline",
    "adopt": "affuse.api.adoption:adopt",
    "build": "affuse.models.building:build",
    "compare": "affuse.api.experiments:compare",
    "compare_models": "affuse.api.model_comparison:compare_models",
    "demo": "affuse.api.demonstration:demo",
    "evaluate": "affuse.api.models:evaluate",
    "export": "affuse.api.models:export",
    "licences": "affuse.models.licences:licences",
    "list_parts": "affuse.api.reports:list_parts",
    "register": "affuse.parts.registry:register",
    "load": "affuse.models.loading:load_model",
    "measure_export": "affuse.api.models:measure_export",
    "prepare": "affuse.api.corpora:prepare",
    "pull": "affuse.api.models:pull",
    "push": "affuse.api.models:push",
    "report": "affuse.api.reports:report",
    "serve": "affuse.api.service:serve",
    "reproduce": "affuse.api.experiments:reproduce",
    "train": "affuse.api.experiments:train",
    "validate": "affuse.api.corpora:validate",
    **{name: f"affuse.{name}" for name in ("corpora", "encoders", "fusion", "losses", "weighting")},
}

if TYPE_CHECKING:
    from affuse import corpora, encoders, fusion, losses, weighting
    from affuse.api.adoption import adopt
    from affuse.api.corpora import prepare, validate
    from affuse.api.demonstration import demo
    from affuse.api.experiments import compare, reproduce, train
    from affuse.api.model_comparison import compare_models
    from affuse.api.models import evaluate, export, measure_export, pull, push
    from affuse.api.reports import list_parts, report
    from affuse.api.service import serve
    from affuse.corpora.corpus import Corpus
    from affuse.errors import AffuseError
    from affuse.inference.timeline import Timeline
    from affuse.models.building import build
    from affuse.models.licences import licences
    from affuse.models.loading import load_model as load
    from affuse.models.network import Model
    from affuse.parts.registry import register
    from affuse.recipe import Recipe
    from affuse.results.evaluation import Evaluation
    from affuse.results.grid import Grid
    from affuse.results.reproduction import Reproduction
    from affuse.results.run import Run
    from affuse.sequence import FeatureSequence
    from affuse.serving.client.client import Client

__all__ = [
    "AffuseError", "Client", "Corpus", "Evaluation", "FeatureSequence", "Grid", "Model", "Recipe", "Reproduction",
    "Run", "Timeline", "__version__", "adopt", "build", "compare", "compare_models", "corpora", "demo", "encoders",
    "evaluate", "export", "fusion", "licences", "list_parts", "load", "losses", "measure_export", "prepare", "pull",
    "push", "register", "report", "reproduce", "serve", "train", "validate", "weighting",
]  # fmt: skip


if not TYPE_CHECKING:  # a type checker knows the names above, and no others
    __getattr__, __dir__ = lazy(__name__, _PUBLIC, __all__)
