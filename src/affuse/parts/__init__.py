"""Parts: the families that recipes choose from, their options, and what a part of your own must have."""
