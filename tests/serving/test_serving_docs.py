"""docs/serving.md: its lines run against a service, its tables are the code's; the container's files are in order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from affuse.serving.asking import FIELDS
from affuse.serving.limits import Limits
from affuse.serving.routes.stream import CONTAINERS
from documents import ROOT, code_blocks
from serving.running_service import RunningService

PAGE = ROOT / "docs/serving.md"
NODE = shutil.which("node")


def rows(head: str) -> list[list[str]]:
    """The cells of the table that begins with ``head``."""
    lines = PAGE.read_text(encoding="utf-8").split(head, 1)[1].splitlines()[2:]
    table = lines[: lines.index("")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def blocks(language: str, service: RunningService) -> list[str]:
    found = [one.code for one in code_blocks(PAGE) if one.language == language]
    assert found
    return [one.replace("127.0.0.1:8765", f"127.0.0.1:{service.port}") for one in found]


@pytest.fixture
def folder(talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(talk, tmp_path / "talk.wav")
    (tmp_path / "talk.srt").write_text("1\n00:00:00,100 --> 00:00:02,000\nI see.\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_the_lines_of_curl_run(service: RunningService, folder: Path) -> None:
    told = [run("sh", "-ec", block.replace("curl ", "curl -sS -f ")) for block in blocks("sh", service)]
    assert len(told) == 3
    assert '"segments"' in told[0]
    for part in ("00:00:00,", '"moments"', '"text": "see."', '"gender"'):
        assert part in told[1]
    assert "event: done" in told[2]
    assert (folder / "talk.png").read_bytes().startswith(b"\x89PNG")


def test_the_lines_of_python_run(service: RunningService, folder: Path) -> None:
    (code,) = blocks("python", service)
    space: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), space)
    assert space["timeline"].segments
    assert space["state"].state == "done"
    assert (folder / "talk.srt").read_text().startswith("1\n")


@pytest.mark.skipif(NODE is None, reason="there is no node on this machine")
def test_the_lines_of_javascript_run(service: RunningService, folder: Path) -> None:
    assert NODE is not None
    major = int(run(NODE, "--version").lstrip("v").partition(".")[0])
    told: list[str] = []
    for i, code in enumerate(blocks("js", service)):
        script = folder / f"{i}.mjs"
        script.write_text(code)
        if "WebSocket(" in code and major < 22:
            if major < 20:
                pytest.skip(f"node {major} has no WebSocket")
            told.append(run(NODE, "--experimental-websocket", str(script)))
        else:
            told.append(run(NODE, str(script)))
    assert "neutral" in told[0]
    assert told[1].split()[0] == "ready"
    assert told[1].split()[-1] == "end"


def test_the_tables_are_those_of_the_code() -> None:
    limits: list[list[str]] = []
    for name, field in Limits.model_fields.items():
        default = "cores, at least 2" if field.default is None or field.default_factory else field.default
        if isinstance(default, float):
            default = f"{default:,g}"
        elif isinstance(default, int):
            default = f"{default:,}"
        limits.append([f"`{name}`", default, str(field.description)])
    assert rows("| limit | default |") == limits
    assert rows("| field | means |") == [[f"`{name}`", meaning] for name, (_, meaning) in FIELDS.items()]
    page = re.sub(r"\s+", " ", PAGE.read_text(encoding="utf-8"))
    assert all(f"`{name}`" in page for name in CONTAINERS)


def test_every_option_that_the_page_names_is_there(service: RunningService) -> None:
    from affuse.cli.serve import serve

    known = {f"--{name.replace('_', '-')}" for name in serve.__annotations__}
    named = set(re.findall(r"`(--[a-z-]+)", PAGE.read_text(encoding="utf-8")))
    assert named <= known
    routes = set(service.inner.openapi()["paths"]) | {"/v1/stream"}
    for path in re.findall(
        r"`(?:GET |POST |DELETE |WS )?(/(?:v1|healthz|readyz|metrics)[^`?]*)[`?]", PAGE.read_text()
    ):
        assert path.replace("ID", "{id}").replace("NAME", "{name}") in routes, path


HADOLINT = Path(sys.executable).parent / "hadolint"


@pytest.mark.skipif(not HADOLINT.is_file(), reason="hadolint is not installed beside Python")
def test_the_dockerfile_passes_hadolint() -> None:
    done = subprocess.run(
        [HADOLINT, "--failure-threshold", "info", ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_container_gives_little_away() -> None:
    (service,) = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"].values()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["environment"]["AFFUSE_TOKEN"].startswith(
        "${AFFUSE_TOKEN:?"
    )  # refused where it is not set
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert float(service["stop_grace_period"].rstrip("s")) > 30  # the service drains for as long
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users[-1] == "10001:10001"
    entry = next(line for line in lines if line.startswith("ENTRYPOINT "))
    assert "--token" not in entry
    assert "--no-token" not in entry


def test_the_container_copies_what_there_is() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            assert all((ROOT / name).exists() for name in line.split()[1:-1]), line
    extras = re.findall(r"'\.\[([a-z,]+)\]'", "\n".join(lines))[0].split(",")
    import tomllib

    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    assert set(extras) <= set(known)
    assert "serve" in extras
    assert os.access(ROOT / "compose.yaml", os.R_OK)
