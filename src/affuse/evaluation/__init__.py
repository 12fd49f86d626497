"""Numbers of a prediction table: metrics, intervals, tests, calibration; nothing of the rest is known here."""
