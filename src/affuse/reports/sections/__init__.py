"""The sections of a report, one file each: ``section(report)``, None where there is nothing to show."""
