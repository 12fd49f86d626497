"""Trained models at work on clips and corpora."""
