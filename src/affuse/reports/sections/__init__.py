"""The sections of a report, one file each: ``section(report)`` returns a Section, or None where it has nothing to show."""
