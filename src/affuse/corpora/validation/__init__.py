"""What is wrong with a corpus, row by row, before anything is trained on it."""

from affuse.corpora.validation.checks import Finding, validate

__all__ = ["Finding", "validate"]
