"""Splits: a table (id, fold, role, speaker) made by a protocol, with a hash; checked for shared speakers."""

from affuse.corpora.splits.making import make_split
from affuse.corpora.splits.overlap import transcript_overlap
from affuse.corpora.splits.protocol import SplitProtocol, ValidationPart
from affuse.corpora.splits.split import ROLES, Split

__all__ = ["ROLES", "Split", "SplitProtocol", "ValidationPart", "make_split", "transcript_overlap"]
