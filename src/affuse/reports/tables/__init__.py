"""Finished runs as tables: results, paired tests, calibration, groups, mistakes."""
