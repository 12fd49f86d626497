"""The example package of own parts, installed into a folder of its own: a wheel made by hand, pip without a network."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import affuse

PACKAGE = Path(__file__).parent / "own_package"
SOURCE = Path(affuse.__file__).parent.parent


def make_wheel(folder: Path) -> Path:
    """What a build backend makes of ``own_package``: its modules, and the metadata that pyproject.toml says."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    name, version = project["name"], project["version"]
    stem = f"{name.replace('-', '_')}-{version}"
    points = "".join(
        f"[{group}]\n" + "".join(f"{part} = {value}\n" for part, value in entries.items())
        for group, entries in project["entry-points"].items()
    )
    files = {f"mylab/{path.name}": path.read_text() for path in sorted((PACKAGE / "mylab").glob("*.py"))} | {
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{stem}.dist-info/entry_points.txt": points,
    }
    record = "".join(f"{file},sha256={_digest(text)},{len(text.encode())}\n" for file, text in files.items())
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr(f"{stem}.dist-info/RECORD", f"{record}{stem}.dist-info/RECORD,,\n")
    return wheel


def install(folder: Path) -> Path:
    """A site directory with the package in it; nothing is written elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    site = folder / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
    check = ["--disable-pip-version-check", "--no-cache-dir", "--target", str(site), str(make_wheel(folder))]
    subprocess.run([*command, *check], check=True, capture_output=True)
    return site


def python(*words: str, site: Path | None = None, cwd: Path) -> subprocess.CompletedProcess[str]:
    """``python words...`` in a process that sees affuse and, with ``site``, what is installed there."""
    path = os.pathsep.join(str(one) for one in (SOURCE, site) if one is not None)
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
