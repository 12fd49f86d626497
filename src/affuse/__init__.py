"""affuse: emotion and gender from voice, words and face."""

__version__ = "0.1.0"
