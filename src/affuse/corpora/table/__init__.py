"""A user's own table, from a file or from memory, checked and made into the table of a corpus."""

from affuse.corpora.table.checks import CheckedTable, check_table
from affuse.corpora.table.options import TableOptions, table_options

__all__ = ["CheckedTable", "TableOptions", "check_table", "table_options"]
