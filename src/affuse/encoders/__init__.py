"""Encoders: waveform, frames or text to a feature sequence. One file per encoder."""
