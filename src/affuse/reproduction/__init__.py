"""The papers' grids under their protocols: as written, as coded, honest. What they are is data, in ``papers/``."""
