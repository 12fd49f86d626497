"""Files on disk, of whatever kind: written whole, named, searched for, and never over anybody's own."""

from affuse.files.writing import (
    digest,
    file_digest,
    read_csv,
    replacing,
    watching,
    write_csv,
    write_json,
    write_text,
)

__all__ = [
    "digest",
    "file_digest",
    "read_csv",
    "replacing",
    "watching",
    "write_csv",
    "write_json",
    "write_text",
]
