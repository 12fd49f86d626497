"""Worker processes of a script that has no ``if __name__ == "__main__"``, as notebooks and first tries have none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import affuse
from affuse.workers import begin_worker, worker_pool
from in_worker import holds_back

SCRIPT = """
import sys
from affuse.corpora.generated import generate_release
print("the script runs", flush=True)
generate_release(sys.argv[1], sessions=1, dialogs=2, turns=4, video=False, jobs=2)
"""
SOURCE = Path(affuse.__file__).parent


def test_a_script_without_a_guard_is_run_once_and_done(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCRIPT)
    ran = subprocess.run(
        [sys.executable, "mine.py", "release"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(SOURCE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("the script runs") == 1
    assert (tmp_path / "release" / "README.txt").is_file()


def test_every_pool_is_of_one_kind() -> None:
    pools = [
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if any(word in path.read_text() for word in ("ProcessPoolExecutor(", "get_context(", ".Pool("))
    ]
    assert pools == ["workers.py"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal masks")
def test_a_worker_that_still_imports_gets_no_ctrl_c_and_its_parent_does() -> None:
    with worker_pool(1, begin_worker) as pool:
        assert pool.submit(holds_back).result()
    assert not holds_back()
