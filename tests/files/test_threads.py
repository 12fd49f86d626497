"""Files that many threads write at once are whole, and have the mode of any new file."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from affuse.files import write_json


def test_files_of_many_threads_have_the_usual_mode(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    names = [tmp_path / f"folder{i % 3}" / f"{i}.json" for i in range(60)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: write_json(path, {"of": path.name}), names))
    assert {path.stat().st_mode for path in names} == {plain.stat().st_mode}
    assert [json.loads(path.read_text())["of"] for path in names] == [path.name for path in names]
    again = tmp_path / "again"
    again.touch()
    assert again.stat().st_mode == plain.stat().st_mode


def test_threads_may_write_one_file(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: write_json(tmp_path / "one.json", list(range(i, 1000))), range(40)))
    assert json.loads((tmp_path / "one.json").read_text())[-1] == 999
    assert [path.name for path in tmp_path.iterdir()] == ["one.json"]
