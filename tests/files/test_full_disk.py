"""A disk that is full while a file is written: the file is named, not the temporary one or none."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from affuse.files import replacing


def test_the_file_is_named_where_the_system_names_none(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as caught, replacing(tmp_path / "model.onnx"):
        raise OSError(errno.ENOSPC, "No space left on device")  # as write() raises it
    assert caught.value.filename == str(tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []
