"""Readers: one function per release, which writes the corpus folder (see ``corpora/reader.py``)."""
