"""What a comparison of frozen features imports: these libraries take from half a second to several."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import affuse
from small_corpus import make_corpus

UNUSED = ["lightning", "torchmetrics", "transformers", "onnxruntime", "torch._dynamo"]
CODE = f"""
import json, sys
import affuse.results.grid, affuse.training.cells, affuse.training.evaluate, affuse.models.loading
first = [name for name in ("scipy.optimize", "scipy.stats", "statsmodels", "matplotlib") if name in sys.modules]
import affuse
affuse.compare(
    "server", sys.argv[1], sys.argv[2], folds=[0], baseline=False, jobs=1, over={{"loss": ["cross_entropy", "center"]}},
    set={{"modalities.text": None, "modalities.audio.encoder": "logmel", "modalities.audio.options.bands": 16,
         "training.epochs": 1, "protocol.by": "session", "protocol.validation.by": "session"}},
)
print(json.dumps(first + [name for name in {UNUSED!r} if name in sys.modules]))
"""


def test_a_comparison_of_frozen_features_imports_no_library_that_it_has_no_use_for(tmp_path: Path) -> None:
    make_corpus(tmp_path, speakers=6, each=1)
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "corpus"), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {"PYTHONPATH": str(Path(affuse.__file__).parents[1]), "AFFUSE_CACHE": str(tmp_path / "cache")},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
