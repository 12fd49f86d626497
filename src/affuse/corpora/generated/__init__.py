"""A corpus made by a program in IEMOCAP's exact shape, with known ceilings. It is always called generated."""

from affuse.corpora.generated.release import generate_release

__all__ = ["generate_release"]
