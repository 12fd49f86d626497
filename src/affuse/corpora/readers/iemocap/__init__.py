"""IEMOCAP (Busso et al., 2008) as it is on disk, and anything in its shape."""

from affuse.corpora.readers.iemocap.counts import SelfCheck, self_check
from affuse.corpora.readers.iemocap.names import parse_turn, side_of
from affuse.corpora.readers.iemocap.prepare import prepare

__all__ = ["SelfCheck", "parse_turn", "prepare", "self_check", "side_of"]
