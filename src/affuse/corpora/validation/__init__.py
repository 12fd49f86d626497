"""What is wrong with a corpus, row by row, before anything is trained on it."""

from affuse.corpora.validation.checks import Finding, validate
from affuse.corpora.validation.summary import summarise

__all__ = ["Finding", "summarise", "validate"]
