"""What a search of a folder takes."""

from pathlib import Path

import pytest

from affuse.corpora.readers.release import media_files as of_a_release
from affuse.files.search import media_files

PACKETS = b"".join(b"\x47" + bytes([number]) * 187 for number in range(8))


@pytest.mark.parametrize(
    ("name", "content", "taken"),
    [
        ("plain.ts", PACKETS, True),
        ("cut.ts", PACKETS[100:], True),
        ("timed.mts", b"".join(bytes(4) + b"\x47" + b"a" * 187 for _ in range(8)), True),
        ("empty.ts", b"", True),  # reading it says so
        ("damaged.ts", b"\xff\xfe\x00damage" * 40, True),
        ("app.ts", b"import { Good } from './day';\n" * 80, False),
        ("module.mts", "export const café = 1;\n".encode() * 100, False),
        ("clip.wav", b"anything", True),
    ],
)
def test_transport_streams_are_told_from_programs(
    tmp_path: Path, name: str, content: bytes, taken: bool
) -> None:
    (tmp_path / name).write_bytes(content)
    assert media_files(tmp_path, {".ts", ".mts", ".wav"}) == ([Path(name)] if taken else [])


def test_releases_are_searched_through_links_too(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "b.wav").write_bytes(b"")
    (tmp_path / "release" / ".Trash-1000").mkdir(parents=True)
    (tmp_path / "release" / ".Trash-1000" / "a.wav").write_bytes(b"")
    (tmp_path / "release" / "one").symlink_to(tmp_path / "store")
    (tmp_path / "release" / "two").symlink_to(tmp_path / "store")
    (tmp_path / "store" / "up").symlink_to(tmp_path / "release")
    assert of_a_release(tmp_path / "release", {".wav"}) == [Path("one/b.wav")]
    (tmp_path / "release" / "one.wav").symlink_to("nowhere")
    assert of_a_release(tmp_path / "release", {".wav"}) == [Path("one/b.wav")]
    assert Path("one.wav") in media_files(tmp_path / "release", {".wav"}, broken=True)
