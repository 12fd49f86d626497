"""Corpora: a release on disk, or a table of one's own, to a corpus folder; validation; splits."""
