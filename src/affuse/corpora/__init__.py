"""Corpora: a release on disk, or a table of your own, to a corpus folder; validation; splits."""
