"""Prediction while the sound goes on: windows as soon as they are sure, segments as soon as nothing can change them."""
