"""Splits: a table (id, fold, role, speaker) made by a protocol, with a hash; checked for shared speakers.

``protocol`` says how, ``making`` makes one, ``split`` is one, ``overlap`` measures what its parts share. Nothing is
imported here: a recipe holds a protocol, and recipes are read without pandas.
"""
