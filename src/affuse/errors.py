"""The one exception a user is meant to see."""


class AffuseError(Exception):
    """Bad input, told in one sentence: what is wrong, where (file, row, field), and what to do.

    The command line prints the sentence without a traceback and exits with code 2.
    """


class ClipError(AffuseError):
    """One clip cannot be used (missing, unreadable, empty, silent, ...).

    A batch reports it in ``skipped.csv`` and goes on; a single clip is bad input like any other.
    """
