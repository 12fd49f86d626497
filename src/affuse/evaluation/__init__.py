"""Prediction tables to metrics, intervals, tests and calibration; arrays and tables only, nothing here learns."""
