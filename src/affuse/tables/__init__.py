"""Tables of users: one reader for all of them, and one set of sentences."""

from affuse.tables.frame import read_frame
from affuse.tables.reading import NumberedTable, read_table

__all__ = ["NumberedTable", "read_frame", "read_table"]
