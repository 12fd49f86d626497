"""One run trained by Lightning: trained encoders, and whatever else cannot be one of a stack (``training.stacked``)."""
